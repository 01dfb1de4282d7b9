"""A session that is stopped, through all three programs. It takes as long as the daemon has patience, some 40 seconds."""
import os
import signal

import harness

RUN = """\
tasks:
  task:
    grace: 100ms
    timeout: {timeout}
    run: |
      echo started >> {work}/{name}.count
      echo > {work}/started
      read line < {work}/{name}.gate
      exit 5
"""


class HungWorker(harness.TestCase):
    seconds = 200

    def begin(self, name, timeout="1h"):
        self.box.fifo(f"{name}.gate")
        run = self.box.submit(self.box.write(f"{name}.yaml", RUN.format(work=self.box.work, name=name, timeout=timeout)))
        (self.box.work / "started").read_text()
        return run

    def session(self):
        for pid in self.box.processes():
            with open(f"/proc/{pid}/cmdline", "rb") as arguments:
                if arguments.read().startswith(b"baton-worker\0session\0"):
                    return pid
        raise AssertionError("there is no session")

    def outcome(self, run):
        attempts = self.box.describe(run)["tasks"][0]["attempts"]
        return [(attempt["state"], attempt["class"], attempt["exit_code"]) for attempt in attempts]

    def test_a_stopped_session_is_replaced(self):
        self.box.start()
        self.box.fifo("started")
        cancelled, slow, ended = self.begin("cancelled"), self.begin("slow", "2s"), self.begin("ended")
        stopped = self.session()
        os.kill(stopped, signal.SIGSTOP)
        self.box.baton("cancel", cancelled, check=0)
        (self.box.work / "ended.gate").write_text("x\n")
        self.box.wait(cancelled, check=7)
        self.box.wait(slow, check=1)
        self.box.wait(ended, check=1)
        self.assertEqual(self.outcome(ended), [("failed", "exit:5", 5)])
        self.assertEqual([state for state, _, _ in self.outcome(cancelled)], ["cancelled"])
        self.assertEqual([failure for _, failure, _ in self.outcome(slow)], ["timeout"])
        for name in ("cancelled", "slow", "ended"):
            self.assertEqual((self.box.work / f"{name}.count").read_text(), "started\n")
        self.assertNotEqual(self.session(), stopped)
        self.assertIn("the worker session has not answered for 30 s", self.box.log())
        self.assertEqual(self.box.processes(task=True), [])


if __name__ == "__main__":
    harness.main()
