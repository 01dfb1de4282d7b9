"""A disk that is full, failing or not ours to write: nothing is lost, every refusal is one clear line, no restart is needed."""
import json
import os
import shutil
import sqlite3
import subprocess
import unittest

import harness

MIB = 1 << 20

# Tasks that say that they run and wait until they are let go.
HELD = """\
tasks:
  held:
    matrix: {{n: [1, 2, 3]}}
    env: {{N: "${{{{ matrix.n }}}}"}}
    run: |
      echo "$BATON_IDEMPOTENCY_KEY" >> "{work}/starts"
      echo started > "{work}/started$N"
      read code < "{work}/go$N"
      exit "$code"
  last:
    needs: held
    if: always()
    command: ["true"]
"""
TRUE = "tasks: {a: {command: ['true']}}\n"


@unittest.skipIf(os.geteuid() != 0, "only root can mount a small file system")
class FullDisk(harness.TestCase):
    def setUp(self):
        super().setUp()
        self.box.state.mkdir(mode=0o700)
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m,mode=0700", "none", self.box.state], capture_output=True)
        if mounted.returncode != 0:
            self.skipTest("cannot mount a tmpfs: " + mounted.stderr.decode())
        self.addCleanup(self.unmount)
        self.filler = self.box.state / "filler"
        self.box.configure("workers: [{name: local, cpu: 4}]\n")

    def unmount(self):
        subprocess.run(["umount", "-l", self.box.state], check=True)

    def fill(self):
        """Takes every page that is left."""
        fd = os.open(self.filler, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        try:
            size = MIB
            while size >= 4096:
                try:
                    if os.write(fd, b"x" * size) < size:
                        size //= 2
                except OSError:
                    size //= 2
        finally:
            os.close(fd)

    def begin(self):
        for n in (1, 2, 3):
            self.box.fifo(f"started{n}")
            self.box.fifo(f"go{n}")
        run = self.box.submit(self.box.write("held.yaml", HELD.format(work=self.box.work)))
        for n in (1, 2, 3):
            (self.box.work / f"started{n}").read_text()
        return run

    def let_go(self, n, code=0):
        (self.box.work / f"go{n}").write_text(f"{code}\n")

    def refused(self):
        result = self.box.baton("submit", self.box.write("true.yaml", TRUE))
        self.assertEqual(result.returncode, 6, result.stdout + result.stderr)
        self.assertRegex(result.stderr, r"\Abaton: [^\n]*disk[^\n]*\n\Z")
        return result

    def check_ended(self, run):
        self.box.wait(run, check=1)
        self.assertEqual(self.box.states(run), {"held[n=1]": "succeeded", "held[n=2]": "failed", "held[n=3]": "succeeded",
                                                "last": "succeeded"})
        attempts = {task["name"]: task["attempts"][0]["class"] for task in self.box.describe(run)["tasks"] if task["attempts"]}
        self.assertEqual(attempts["held[n=2]"], "exit:7")
        starts = (self.box.work / "starts").read_text().split()
        self.assertEqual(sorted(starts), [f"{run}/held[n={n}]/1" for n in (1, 2, 3)])

    def test_runs_go_on_and_new_ones_are_refused_until_there_is_room(self):
        daemon = self.box.start()
        run = self.begin()
        self.fill()
        self.refused()
        # What ends now is recorded now, on the room kept for it.
        self.let_go(1)
        self.box.await_event(run, "held[n=1]", "succeeded")
        self.let_go(2, 7)
        self.box.await_event(run, "held[n=2]", "failed")
        self.assertEqual(self.box.baton("ls").returncode, 0)
        self.refused()
        self.filler.unlink()
        self.let_go(3)
        self.check_ended(run)
        self.box.wait(self.box.submit("true.yaml"))
        self.assertEqual(len(json.loads(self.box.baton("ls", "-o", "json", check=0).stdout)), 2)
        self.assertIsNone(daemon.process.poll())

    def test_a_daemon_killed_on_a_full_disk_starts_there_again(self):
        daemon = self.box.start()
        run = self.begin()
        self.fill()
        self.let_go(1)
        self.box.await_event(run, "held[n=1]", "succeeded")
        daemon.kill()
        self.let_go(2, 7)
        self.fill()
        self.box.start()
        self.refused()
        self.assertEqual(self.box.states(run)["held[n=1]"], "succeeded")
        self.filler.unlink()
        self.let_go(3)
        self.check_ended(run)

    def test_what_has_succeeded_waits_for_room_to_keep_its_outputs(self):
        self.box.start()
        for name in ("started", "go", "alive", "held", "go-held"):
            self.box.fifo(name)
        run = self.box.submit(self.box.write("outputs.yaml", """\
tasks:
  train:
    outputs: [accuracy]
    run: |
      exec 3> "{work}/alive"
      echo accuracy=0.97 >> "$BATON_OUTPUT"
      echo started > "{work}/started"
      read line < "{work}/go"
  held:
    run: |
      echo started > "{work}/held"
      read line < "{work}/go-held"
""".format(work=self.box.work)))
        with open(self.box.work / "alive", encoding="utf-8") as alive:
            for name in ("started", "held"):
                (self.box.work / name).read_text()
            self.fill()
            (self.box.work / "go").write_text("\n")
            self.assertEqual(alive.read(), "")  # to its end: the process is gone
        # Whose end comes later is through.
        (self.box.work / "go-held").write_text("\n")
        self.box.await_event(run, "held", "succeeded")
        # The daemon's use of its reserve may have made room for `train` meanwhile, or not.
        self.assertNotIn("ended", self.box.log())  # the session lives, though it cannot even say that it waits
        self.filler.unlink()
        self.box.wait(run)
        self.assertEqual(self.box.describe(run)["tasks"][0]["outputs"], {"accuracy": "0.97"})

    def test_a_task_that_fills_the_disk_with_its_log_fails_alone(self):
        daemon = self.box.start()
        run = self.box.submit(self.box.write("log.yaml", """\
tasks:
  big: {command: [head, -c, 100M, /dev/zero]}
  silent: {needs: big, if: always(), command: ["true"]}
"""))
        self.box.wait(run, check=1)
        self.assertEqual(self.box.states(run), {"big": "failed", "silent": "succeeded"})
        self.assertEqual(self.box.describe(run)["tasks"][0]["attempts"][0]["class"], "exit:1")
        self.refused()
        self.assertIsNone(daemon.process.poll())


class BadDatabase(harness.TestCase):
    """What stands where the database should be: one line that says so, and nothing of it is touched."""

    def make(self):
        daemon = self.box.start()
        self.box.wait(self.box.submit(self.box.write("true.yaml", TRUE)))
        self.assertEqual(daemon.stop(), 0)
        return self.box.state / "baton.db"

    def assert_start_fails(self, code, text):
        with self.assertRaises(harness.StartFailed) as caught:
            self.box.start()
        self.assertEqual(caught.exception.code, code)
        self.assertRegex(caught.exception.said, r"\Aerror: [^\n]+\n\Z")
        self.assertIn(text, caught.exception.said)
        # The CLI that starts it passes the reason on.
        del self.box.env["BATON_NO_START"]
        result = self.box.baton("ls")
        self.box.env["BATON_NO_START"] = "1"
        self.assertEqual(result.returncode, 4, result.stderr)
        self.assertIn(text, result.stderr)
        self.assertLessEqual(result.stderr.count("\n"), 2)

    def test_a_newer_one_is_left_alone(self):
        path = self.make()
        with sqlite3.connect(path) as database:
            database.execute("PRAGMA user_version = 99")
        database.close()
        before = path.read_bytes()
        self.assert_start_fails(1, "made by a newer version")
        self.assertEqual(path.read_bytes(), before)

    def test_a_cut_one_is_damaged_and_left_alone(self):
        path = self.make()
        with open(path, "r+b") as file:
            file.truncate(path.stat().st_size // 2)
        before = path.read_bytes()
        self.assert_start_fails(1, "is damaged")
        self.assertEqual(path.read_bytes(), before)

    def test_a_locked_one_is_named(self):
        path = self.make()
        database = sqlite3.connect(path, isolation_level=None)
        self.addCleanup(database.close)
        database.execute("BEGIN IMMEDIATE")
        self.assert_start_fails(1, "locked by another process")
        database.execute("ROLLBACK")
        self.box.start()
        self.assertEqual(self.box.describe("last")["state"], "succeeded")


class LockedDatabase(harness.TestCase):
    def test_runs_wait_for_whoever_locks_it_and_changes_are_refused(self):
        reader, writer = os.pipe()
        self.addCleanup(os.close, writer)
        with os.fdopen(reader) as log:
            daemon = self.box.start(stderr=writer)
            self.box.fifo("go")
            failed = self.box.submit(self.box.write("false.yaml", "tasks: {a: {command: ['false']}}\n"))
            self.box.wait(failed, check=1)
            run = self.box.submit(self.box.write("held.yaml", f"tasks: {{a: {{run: 'read code < {self.box.work}/go; exit $code'}}}}\n"))
            self.box.await_event(run, "a", "running")
            database = sqlite3.connect(self.box.state / "baton.db", isolation_level=None)
            self.addCleanup(database.close)
            database.execute("BEGIN IMMEDIATE")
            (self.box.work / "go").write_text("7\n")
            for line in log:  # the end of the task waits for its commit
                if "another process has locked the database" in line:
                    break
            refused = self.box.baton("submit", self.box.write("true.yaml", TRUE))
            self.assertEqual(refused.returncode, 6, refused.stdout)
            self.assertRegex(refused.stderr, r"\Abaton: another process has locked the database[^\n]*\n\Z")
            refused = self.box.baton("retry", failed)
            self.assertEqual(refused.returncode, 6, refused.stdout)
            self.assertRegex(refused.stderr, r"\Abaton: another process has locked the database[^\n]*\n\Z")
            self.assertEqual(self.box.describe(run)["state"], "running")
            database.execute("ROLLBACK")
            self.box.wait(run, check=1)
            self.assertEqual(self.box.describe(run)["tasks"][0]["attempts"][0]["class"], "exit:7")
            self.assertEqual(len(self.box.describe(failed)["tasks"][0]["attempts"]), 1)  # an error means that nothing was changed
            self.box.wait(self.box.submit("true.yaml"))
            self.assertIsNone(daemon.process.poll())


@unittest.skipIf(os.geteuid() != 0 or shutil.which("strace") is None, "needs root and strace")
class FailingDisk(harness.TestCase):
    def start_traced(self, inject):
        """batond under strace, which is its child: how batond ends is how the process ends."""
        env = self.box.env | {"ASAN_OPTIONS": self.box.env.get("ASAN_OPTIONS", "") + ":detect_leaks=0"}  # it needs ptrace too
        reader, writer = os.pipe()
        with open(self.box.root / "batond.log", "ab") as log:
            process = subprocess.Popen(["strace", "-D", "-f", "-qq", "-o", "/dev/null", *inject, str(harness.BIN / "batond"),
                                        "--ready-fd", str(writer)], cwd=self.box.work, env=env,
                                       stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=[writer])
        os.close(writer)
        with os.fdopen(reader) as pipe:
            said = pipe.readline()  # not to its end: strace holds it open
        return process, said

    def test_a_sync_that_fails_ends_the_daemon_and_nothing_is_answered(self):
        first = self.box.start()
        done = self.box.submit(self.box.write("true.yaml", TRUE))
        self.box.wait(done)
        first.stop()
        # First syncs of a start fail, then one behind it: strace counts them for each thread.
        for first_to_fail in range(1, 100):
            process, said = self.start_traced(["-e", "trace=fdatasync", "-e", f"inject=fdatasync:error=EIO:when={first_to_fail}+"])
            answers = [self.box.baton("submit", "true.yaml")] if said == "ready\n" else []
            while answers and answers[-1].returncode == 0:
                answers.append(self.box.baton("submit", "true.yaml"))
            self.assertEqual(process.wait(), 1)
            self.assertRegex(self.box.log(), r"error: [^\n]+\n\Z")
            if answers:
                break
        self.assertGreater(first_to_fail, 1)
        self.assertEqual(answers[-1].stdout, "")
        self.box.start()
        self.assertEqual(self.box.describe(done)["state"], "succeeded")
        for answer in answers[:-1]:
            self.box.wait(answer.stdout.strip())
        self.box.wait(self.box.submit("true.yaml"))

    def test_a_database_that_cannot_be_read_is_said_to_be(self):
        self.box.start().stop()
        process, said = self.start_traced(["-P", str(self.box.state / "baton.db"), "-e", "inject=pread64:error=EIO:when=1+"])
        self.assertRegex(said, r"\Aerror: [^\n]*baton\.db[^\n]*\n\Z")
        self.assertEqual(process.wait(), 1)
        self.box.start()


class FileSizeLimit(harness.TestCase):
    """`ulimit -f` is for the daemon what a full disk is, and no reason to die without a word."""

    def test_it_serves_and_only_what_writes_too_much_fails(self):
        daemon = self.box.start(under=("prlimit", f"--fsize={MIB}"))
        run = self.box.submit(self.box.write("log.yaml", """\
tasks:
  big: {command: [head, -c, 3M, /dev/zero]}
  small: {needs: big, if: always(), command: [echo, small]}
"""))
        self.box.wait(run, check=1)
        self.assertEqual(self.box.states(run), {"big": "failed", "small": "succeeded"})
        self.assertEqual(self.box.describe(run)["tasks"][0]["attempts"][0]["class"], "signal:XFSZ")
        self.assertIsNone(daemon.process.poll())


if __name__ == "__main__":
    harness.main()
