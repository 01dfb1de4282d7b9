"""Whatever becomes of a worker's files: the daemon starts, serves what it knows, and the worker works or says why not."""
import os
import shutil
import subprocess
import unittest

import harness

RUN = """\
tasks:
  done: {{outputs: [a], run: 'echo hi; echo a=1 >> "$BATON_OUTPUT"'}}
  held: {{run: "read code < {go}; exit 3"}}
"""
TRUE = "tasks: {a: {command: ['true']}}\n"
KEYS = """\
tasks:
  t:
    matrix: {{n: [0, 1, 2]}}
    env: {{N: "${{{{ matrix.n }}}}"}}
    run: |
      echo "$BATON_IDEMPOTENCY_KEY" >> "{work}/keys"
      exit "$N"
"""
TRACED = harness.BIN.parent / "tests" / "e2e" / "traced_worker"
KINDS = ("gone", "empty", "half", "flipped", "garbage", "folder", "link", "pipe")
# Each is a place that can be damaged by itself; locks, sockets and logs of programs are made anew anyway.
FILES = (".", "boot-id", "cgroups", "daemon", "details", "journal", "logs", "slots", "trash", "logs/00000001.seg", "session.lock",
         "supervisor.lock", "supervisor.log", "supervisor.sock", "slots/00000001", "slots/00000002/script")
REASONS = ("makes no sense", "not a regular file", "Not a directory", "owner only", "Is a directory", "symbolic links",
           "over 1024 bytes", "File exists", "supervisor.log may say why")


def damage(path, kind):
    data = path.read_bytes() if path.is_file() else b""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    if kind == "folder":
        path.mkdir(mode=0o700)
    elif kind == "link":
        path.symlink_to("/etc/passwd")
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind != "gone":
        path.write_bytes({"empty": b"", "half": data[:len(data) // 2], "flipped": bytes(byte ^ 0x55 for byte in data),
                          "garbage": bytes(range(256)) * 16}[kind])


class WorkerFiles(harness.TestCase):
    seconds = 300

    def setUp(self):
        """A state whose programs were all killed while one task had ended and one ran."""
        super().setUp()
        self.box.configure("workers: [{name: local, cpu: 4}]\n")
        self.box.start()
        self.run_id = self.box.submit(self.box.write("run.yaml", RUN.format(go=self.box.fifo("go"))))
        self.box.await_event(self.run_id, "done", "succeeded")
        self.box.await_event(self.run_id, "held", "running")
        self.box.kill_all()
        self.saved = self.box.root / "saved"
        self.box.state.rename(self.saved)

    def check(self, name, kind):
        self.box.kill_all()
        shutil.rmtree(self.box.state, ignore_errors=True)
        subprocess.run(["cp", "-a", self.saved, self.box.state], check=True)
        (self.box.root / "batond.log").unlink(missing_ok=True)
        damage(self.box.state / "workers" / "local" / name, kind)
        self.box.start()
        self.assertEqual(self.box.states(self.run_id)["done"], "succeeded")
        new = self.box.submit(self.box.write("true.yaml", TRUE))
        # Either it works, or the worker says in one line what it does not like.
        waiting = self.box.spawn("baton", "wait", new, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with open(self.box.root / "batond.log") as log:
            offline = ""
            while waiting.poll() is None and not offline:
                offline = next((line for line in log if " offline: " in line), "")
        if offline:
            waiting.kill()
            waiting.wait()
            self.assertTrue(any(reason in offline for reason in REASONS), self.box.log())
            # What it ran is not made up meanwhile.
            self.assertIn(self.box.states(self.run_id)["held"], ("running", "unreachable"))
            return
        self.assertEqual(waiting.returncode, 0, self.box.log())
        self.box.wait(self.run_id, check=1)
        (held,) = (task for task in self.box.describe(self.run_id)["tasks"] if task["name"] == "held")
        self.assertEqual((held["state"], [attempt["class"] for attempt in held["attempts"]]), ("failed", ["worker_lost"]))

    def test_every_file_in_every_way(self):
        for name in FILES:
            for kind in KINDS:
                with self.subTest(file=name, kind=kind):
                    self.check(name, kind)


@unittest.skipIf(shutil.which("strace") is None or os.geteuid() != 0, "needs root and strace")
class FailingJournal(harness.TestCase):
    """The first session's system calls on its journal fail; those after it find everything in order."""

    def check(self, *inject):
        self.box.env["BATON_SWEEP_DIR"] = str(self.box.root)
        self.box.env["ASAN_OPTIONS"] = self.box.env.get("ASAN_OPTIONS", "") + ":detect_leaks=0"  # it needs ptrace too
        notes = self.box.root / "notes"
        journal = self.box.state / "workers" / "local" / "journal"
        command = ["strace", "-D", "-q", "-o", notes, "-P", journal, *inject]
        (self.box.root / "session").write_text("".join(f"{argument}\n" for argument in command))
        self.box.start("--worker-program", TRACED)
        run = self.box.submit(self.box.write("keys.yaml", KEYS.format(work=self.box.work)))
        self.box.wait(run, check=1)
        self.assertEqual(self.box.states(run), {"t[n=0]": "succeeded", "t[n=1]": "failed", "t[n=2]": "failed"})
        classes = [attempt["class"] for task in self.box.describe(run)["tasks"] for attempt in task["attempts"]]
        self.assertEqual(classes, [None, "exit:1", "exit:2"])
        keys = (self.box.work / "keys").read_text().split()
        self.assertEqual(sorted(keys), [f"{run}/t[n={n}]/1" for n in range(3)])
        self.assertIn("INJECTED", notes.read_text())

    def test_that_cannot_be_read(self):
        self.check("-e", "inject=pread64:error=EIO:when=1")
        self.assertIn("journal: Input/output error", self.box.log())

    def test_that_takes_no_more(self):
        self.check("-e", "inject=write:error=ENOSPC:when=3+")
        self.assertIn("journal: No space left on device", self.box.log())

    def test_that_cannot_be_written(self):
        self.check("-e", "inject=write:error=EIO:when=2")
        self.assertIn("journal: Input/output error", self.box.log())


if __name__ == "__main__":
    harness.main()
