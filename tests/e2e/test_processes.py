"""Tasks that do not behave, through all three programs: the cause that users see is right, and nothing of them is left."""
import os

import harness

# Each of them hides a process that outlives its main one as best it can.
TASKS = """\
tasks:
  timeout:
    timeout: 200ms
    grace: 100ms
    run: |
      trap '' TERM
      setsid sh -c 'trap "" TERM HUP; sleep 1000; sleep 1000' > /dev/null 2>&1 &
      sleep 1000
      sleep 1000
  signal: {run: "kill -SEGV $$"}
  exit: {run: "exit 3"}
  daemon:
    run: |
      (setsid sh -c 'sleep 1000; sleep 1000' < /dev/null > /dev/null 2>&1 &)
      echo started a daemon
  open_log:
    run: |
      sh -c 'sleep 1000; sleep 1000' &
      echo the log stays open
  scrubbed:
    run: |
      env -i setsid sh -c 'exec 3> WORK/alive; echo > WORK/up; sleep 1000; sleep 1000' < /dev/null > /dev/null 2>&1 &
      read line < WORK/up
  missing: {outputs: [a], run: "true"}
  cannot: {command: [/nonexistent/program]}
"""
CLASSES = {"timeout": "timeout", "signal": "signal:SEGV", "exit": "exit:3", "missing": "missing_output", "cannot": "spawn_error"}

OOM = """\
tasks:
  hog:
    resources: {memory: 64Mi}
    command: [python3, -c, "x = bytearray(512 << 20); print(len(x))"]
  fine:
    resources: {memory: 64Mi}
    command: ["true"]
"""


class Processes(harness.TestCase):
    def setUp(self):
        super().setUp()
        self.box.configure("workers: [{name: local, cpu: 16, memory: 8Gi}]\n")
        self.box.start()

    def has_cgroup(self):
        return "containment by cgroup" in self.box.baton("doctor").stdout

    def classes(self, run):
        return {task["name"]: task["attempts"][0]["class"] for task in self.box.describe(run)["tasks"] if task["state"] == "failed"}

    def test_causes_are_right_and_nothing_is_left(self):
        self.box.fifo("up")
        alive = os.open(self.box.fifo("alive"), os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, alive)
        run = self.box.submit(self.box.write("tasks.yaml", TASKS.replace("WORK", str(self.box.work))))
        self.box.wait(run, check=1)
        self.assertEqual(self.classes(run), CLASSES)
        self.assertEqual(self.box.logs(run, "open_log"), "the log stays open\n")
        self.assertEqual(self.box.processes(task=True), [])
        if self.has_cgroup():  # without, who hides on purpose may live until the other tasks have ended
            self.assertEqual(os.read(alive, 1), b"")  # nobody has it open

    def test_a_cancelled_run_has_no_process(self):
        self.box.fifo("started")
        run = self.box.submit(self.box.write("held.yaml", f"""\
tasks:
  held:
    grace: 100ms
    run: |
      trap '' TERM
      setsid sh -c 'sleep 1000; sleep 1000' > /dev/null 2>&1 &
      echo > {self.box.work}/started
      sleep 1000
      sleep 1000
"""))
        (self.box.work / "started").read_text()
        self.assertNotEqual(self.box.processes(task=True), [])
        self.box.baton("cancel", run, check=0)
        self.box.wait(run, check=7)
        self.assertEqual(self.box.processes(task=True), [])

    def test_memory_that_is_used_up_is_the_cause(self):
        self.box.baton("run", self.box.write("true.yaml", "tasks: {t: {command: ['true']}}\n"), check=0)  # the worker is there
        if not self.has_cgroup():
            self.skipTest("no memory controller is delegated here")
        run = self.box.submit(self.box.write("oom.yaml", OOM))
        self.box.wait(run, check=1)
        self.assertEqual(self.classes(run), {"hog": "oom"})


if __name__ == "__main__":
    harness.main()
