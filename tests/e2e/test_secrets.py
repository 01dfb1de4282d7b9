"""Secrets: whatever tasks do with them, their values are in no file of Baton's but the tasks' own logs, and in no answer."""
import json
import os
import pathlib
import stat

import harness

TOKEN = "t0ken/hunter2+quite=secret"
KEY = "-----BEGIN KEY-----\nAAAAB3NzaC1yc2E\n-----END KEY-----"
FROM_ENV = "of-the-daemons-environment"
VALUES = [value.encode() for value in (TOKEN, KEY, "hunter2", "AAAAB3NzaC1yc2E", FROM_ENV)]

TASKS = """\
env: {TOKEN: "${{ secrets.TOKEN }}", KEY: "${{ secrets.KEY }}", OTHER: "${{ secrets.OTHER }}"}
tasks:
  log: {run: "echo \\"$TOKEN\\"; echo \\"$KEY\\" >&2; echo \\"$OTHER\\""}
  out:
    outputs: [token, block, list, other]
    run: |
      echo "token=is $TOKEN." >> "$BATON_OUTPUT"
      printf 'block<<END\\n%s\\nEND\\n' "$KEY" >> "$BATON_OUTPUT"
      echo "list=[\\"$TOKEN\\", \\"two\\"]" >> "$BATON_OUTPUT"
      echo "other=$OTHER" >> "$BATON_OUTPUT"
  fan:
    needs: out
    matrix: {x: "${{ fromJSON(needs.out.outputs.list) }}"}
    env: {X: "${{ matrix.x }}"}
    run: "echo \\"got $X\\""
  placed: {needs: out, working_dir: "/nonexistent/${{ needs.out.outputs.token }}", run: "true"}
  named: {needs: out, command: ["/nonexistent/${{ needs.out.outputs.other }}"]}
  malformed: {outputs: [a], run: "echo \\"$TOKEN=1\\" >> \\"$BATON_OUTPUT\\""}
  unended: {outputs: [a], run: "echo \\"a<<$TOKEN\\" >> \\"$BATON_OUTPUT\\""}
  command: {command: [sh, -c, "exec \\"/nonexistent/$TOKEN\\""]}
  waits: {needs: command, run: "true"}
outputs: {final: "${{ needs.out.outputs.token }}"}
"""

HELD = """\
tasks:
  held:
    env: {TOKEN: "${{ secrets.TOKEN }}"}
    outputs: [token]
    run: |
      echo > WORK/up
      read line < WORK/go
      echo "token=$TOKEN" >> "$BATON_OUTPUT"
"""

NOTHING = "tasks: {nothing: {run: 'true'}}\n"


class Secrets(harness.TestCase):
    def setUp(self):
        super().setUp()
        self.box.env["OTHER_SECRET"] = FROM_ENV
        (self.box.root / "secrets").mkdir()
        self.set_secret("token", TOKEN)
        self.set_secret("key", KEY)
        self.box.configure(f"""\
secrets:
  TOKEN: {{file: {self.box.root}/secrets/token}}
  KEY: {{file: {self.box.root}/secrets/key}}
  OTHER: {{env: OTHER_SECRET}}
log: {{level: trace}}
""")
        self.box.start()

    def set_secret(self, name, value):
        (self.box.root / "secrets" / name).write_text(value + "\n")

    def assert_nowhere(self, found_in, data):
        for value in VALUES:
            self.assertNotIn(value, data, found_in)

    def assert_state_has_none(self):
        """Every file of the state, and what the daemon says; but for the logs that tasks have written themselves."""
        # The worker has dropped what it kept for the daemon when it has started what the daemon gave it afterwards.
        self.box.wait(self.box.submit(self.box.write("nothing.yaml", NOTHING)))
        logs = 0
        for folder, _, names in os.walk(self.box.state):
            self.assertEqual(stat.S_IMODE(os.stat(folder).st_mode) & 0o077, 0, folder)
            for path in (pathlib.Path(folder) / name for name in names):
                if not stat.S_ISREG(path.lstat().st_mode):
                    continue
                if path.suffix == ".seg":
                    logs += 1
                    self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600, path)
                else:
                    self.assert_nowhere(path, path.read_bytes())
        self.assertGreater(logs, 0)
        self.assert_nowhere("the daemon's log", self.box.log().encode())

    def assert_answers_have_none(self, run):
        questions = [["describe", run], ["describe", run, "-o", "json"], ["logs", run], ["ls", "-o", "json"], ["why", run],
                     ["events", "--tail", "1000", "-o", "json"], ["graph", run, "-o", "json"], ["graph", run, "-o", "dot"], ["doctor"]]
        questions += [[verb, run, task["name"]] for task in self.box.describe(run)["tasks"] for verb in ("why", "logs")]
        for question in questions:
            answer = self.box.baton(*question)
            self.assert_nowhere(question, (answer.stdout + answer.stderr).encode())
        for path in (f"/v1/runs/{run}", f"/v1/runs/{run}/tasks", "/v1/runs", "/v1/workers"):
            self.assert_nowhere(path, json.dumps(self.box.api("GET", path)[1], ensure_ascii=False).encode())

    def test_values_are_masked_in_all_that_tasks_report(self):
        run = self.box.submit(self.box.write("tasks.yaml", TASKS))
        self.box.wait(run, check=1)
        self.assert_state_has_none()
        self.assert_answers_have_none(run)
        tasks = {task["name"]: task for task in self.box.describe(run)["tasks"]}
        self.assertEqual(tasks["out"]["outputs"],
                         {"token": "is ***.", "block": "***", "list": '["***", "two"]', "other": "***"})
        self.assertEqual(self.box.logs(run, "fan[x=%2A%2A%2A]"), "got ***\n")
        self.assertIn("line 1: what is before the = is not a name", tasks["malformed"]["attempts"][0]["message"])

    def held(self):
        self.box.fifo("up")
        self.box.fifo("go")
        run = self.box.submit(self.box.write("held.yaml", HELD.replace("WORK", str(self.box.work))))
        (self.box.work / "up").read_text()
        return run

    def finish(self, run):
        (self.box.work / "go").write_text("\n")
        self.box.wait(run)
        self.assertEqual(self.box.describe(run)["tasks"][0]["outputs"], {"token": "***"})
        self.assert_answers_have_none(run)

    def test_no_process_has_one_among_its_arguments(self):
        run = self.held()
        for pid in self.box.processes():
            self.assert_nowhere(pid, pathlib.Path(f"/proc/{pid}/cmdline").read_bytes())
        self.finish(run)
        self.assert_state_has_none()

    def test_a_task_that_outlived_its_daemon_and_its_session(self):
        run = self.held()
        self.box.daemons[-1].kill()
        self.box.start()
        self.finish(run)
        self.assert_state_has_none()

    def test_a_secret_that_was_changed_while_its_task_ran(self):
        run = self.held()
        self.set_secret("token", "another one by now")
        self.box.baton("daemon", "reload", check=0)
        self.finish(run)
        self.assert_state_has_none()


if __name__ == "__main__":
    harness.main()
