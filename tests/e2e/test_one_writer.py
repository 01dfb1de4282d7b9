"""One daemon writes a state: what passes by its lock ends, an older copy of the database must be adopted, and the check
says what is wrong."""
import json
import os
import shutil
import signal
import sqlite3

import harness

HELD = """\
tasks:
  held:
    run: |
      echo "$BATON_IDEMPOTENCY_KEY" >> "{work}/starts"
      echo started > "{work}/started"
      read line < "{work}/go"
"""
LATER = """\
tasks:
  later:
    run: |
      exec 3> "{work}/alive"
      echo up >&3
      read line < "{work}/never"
"""
QUICK = "tasks: {a: {run: 'true'}}\n"


class OneWriter(harness.TestCase):
    def check_clean(self):
        result = self.box.baton("doctor", "--fsck")
        self.assertEqual((result.returncode, result.stderr), (0, ""), result.stdout)

    def stop_in_a_run(self):
        """A run with a task that is held, and no daemon."""
        for name in ("started", "go"):
            self.box.fifo(name)
        daemon = self.box.start()
        run = self.box.submit(self.box.write("held.yaml", HELD.format(work=self.box.work)))
        (self.box.work / "started").read_text()
        daemon.stop()
        return run

    def copy_database(self, to):
        with sqlite3.connect(self.box.state / "baton.db") as source, sqlite3.connect(to) as target:
            source.backup(target)

    def put_back(self, copy):
        for suffix in ("", "-wal", "-shm"):
            (self.box.state / f"baton.db{suffix}").unlink(missing_ok=True)
        shutil.copy(copy, self.box.state / "baton.db")

    def test_the_lock_holds_by_every_path(self):
        self.box.start()
        link = self.box.root / "other-name"
        link.symlink_to(self.box.state)
        for path in (self.box.state, link, f"{self.box.state}/../state"):
            with self.assertRaises(harness.StartFailed) as failed:
                self.box.start("--state-dir", path, "--socket", self.box.root / "second.sock")
            self.assertIn("another batond (pid", failed.exception.said)

    def test_a_stopped_daemon_that_was_passed_by_ends(self):
        old = self.box.start()
        os.kill(old.pid, signal.SIGSTOP)
        (self.box.state / "batond.lock").unlink()
        second = self.box.root / "second.sock"
        self.box.start("--socket", second)
        os.kill(old.pid, signal.SIGCONT)
        self.assertEqual(old.process.wait(), 1)
        self.assertIn("another daemon", self.box.log())
        self.box.baton("--socket", second, "run", self.box.write("quick.yaml", QUICK), check=0)

    def test_a_run_that_is_left_alone_keeps_its_processes_and_goes_on_once_it_is_mended(self):
        for name in ("started", "go"):
            self.box.fifo(name)
        self.box.write("child.yaml", HELD.format(work=self.box.work))
        daemon = self.box.start()
        run = self.box.submit(self.box.write("main.yaml", "tasks: {sub: {uses: child.yaml}}\n"))
        (self.box.work / "started").read_text()
        daemon.stop()

        def set_params(params):
            with sqlite3.connect(self.box.state / "baton.db") as database:
                database.execute("UPDATE runs SET params = ? WHERE parent_run IS NOT NULL", (params,))

        set_params("x")
        daemon = self.box.start()
        self.assertIn(f"left alone: run {run}: it belongs to run {run}.2", self.box.baton("doctor").stdout)
        refused = self.box.baton("retry", run)
        self.assertEqual((refused.returncode, refused.stderr), (1, "baton: the run has not ended yet\n"))
        # Its worker is there and has said what it runs.
        self.box.baton("run", self.box.write("quick.yaml", QUICK), check=0)
        daemon.stop()
        set_params("{}")
        self.box.start()
        (self.box.work / "go").write_text("go\n")
        self.box.wait(run)
        self.assertEqual(len((self.box.work / "starts").read_text().splitlines()), 1)

    def test_an_older_copy_is_refused_until_it_is_adopted(self):
        self.box.start().stop()
        copy = self.box.root / "copy.db"
        self.copy_database(copy)
        daemon = self.box.start()
        self.box.baton("run", self.box.write("quick.yaml", QUICK), check=0)
        daemon.stop()
        self.put_back(copy)
        for _ in range(3):  # trying again does not make it younger
            with self.assertRaises(harness.StartFailed) as failed:
                self.box.start()
            self.assertIn("baton daemon adopt", failed.exception.said)
        self.box.baton("daemon", "adopt", check=0)
        self.box.start()
        self.box.baton("run", self.box.work / "quick.yaml", check=0)

    def test_a_backup_of_a_busy_daemon_is_sound_and_goes_on(self):
        for pipe in ("started", "go", "alive", "never"):
            self.box.fifo(pipe)
        daemon = self.box.start()
        run = self.box.submit(self.box.write("held.yaml", HELD.format(work=self.box.work)))
        (self.box.work / "started").read_text()
        self.box.await_event(run, "held", "running")  # what is about to start begins anew after an adoption
        copy = self.box.root / "backup.db"
        self.box.baton("daemon", "backup", copy, check=0)
        self.assertEqual(copy.stat().st_mode & 0o777, 0o600)
        self.assertNotEqual(self.box.baton("daemon", "backup", copy).returncode, 0)
        self.assertEqual([name.name for name in self.box.root.glob("backup.db*")], ["backup.db"])
        lost = self.box.submit(self.box.write("quick.yaml", QUICK))
        self.box.wait(lost)
        self.box.submit(self.box.write("later.yaml", LATER.format(work=self.box.work)))
        alive = open(self.box.work / "alive")
        self.addCleanup(alive.close)
        self.assertEqual(alive.readline(), "up\n")
        daemon.stop()
        self.put_back(copy)
        self.check_clean()
        with self.assertRaises(harness.StartFailed) as failed:
            self.box.start()
        self.assertIn("is a backup", failed.exception.said)
        self.box.baton("daemon", "adopt", check=0)
        self.check_clean()
        self.box.start()
        self.assertEqual(self.box.baton("describe", lost).returncode, 5)
        self.assertEqual(alive.read(), "")  # the task that the copy knows nothing of is ended
        (self.box.work / "go").write_text("on\n")
        self.box.wait(run)  # the task that ran all the time is taken over
        self.assertEqual(len((self.box.work / "starts").read_text().splitlines()), 1)

    def test_the_check_names_what_is_wrong_and_changes_nothing(self):
        daemon = self.box.start()
        self.box.baton("run", self.box.write("quick.yaml", QUICK), check=0)
        result = self.box.baton("doctor", "--fsck")
        self.assertEqual(result.returncode, 6)
        self.assertIn("another batond", result.stderr)
        daemon.stop()
        self.check_clean()
        with sqlite3.connect(self.box.state / "baton.db") as database:
            database.execute("UPDATE runs SET ended_at = NULL")
        (self.box.state / "workers" / "local" / "daemon").write_text("x")
        result = self.box.baton("doctor", "--fsck", "-o", "json")
        self.assertEqual(result.returncode, 1, result.stderr)
        findings = json.loads(result.stdout)
        self.assertEqual(len(findings), 2, findings)
        self.assertIn("does not say when", findings[0])
        self.assertIn("makes no sense", findings[1])
        self.assertEqual(self.box.baton("doctor", "--fsck", "-o", "json").stdout, result.stdout)

    def test_the_check_looks_into_the_workers_files_and_the_runs_under_way(self):
        run = self.stop_in_a_run()
        self.check_clean()
        worker = self.box.state / "workers" / "local"
        with open(worker / "journal", "ab") as journal:
            journal.write(b"BATN torn")
        [segment] = (worker / "logs").iterdir()
        segment.unlink()
        with sqlite3.connect(self.box.state / "baton.db") as database:
            database.execute("UPDATE bundles SET contents = replace(contents, 'held', 'hold')")
        before = sorted((path.name, path.stat().st_mtime_ns) for path in worker.rglob("*"))
        result = self.box.baton("doctor", "--fsck", "-o", "json")
        self.assertEqual(result.returncode, 1, result.stderr)
        findings = json.loads(result.stdout)
        self.assertEqual(len(findings), 3, findings)
        self.assertRegex(findings[0], f"run {run}: .*held")
        self.assertEqual(findings[1], "worker local: journal: 9 bytes are no records, what they said is lost")
        self.assertRegex(findings[2], rf"worker local: attempt \d+: its log logs/{segment.name} is missing")
        self.assertEqual(before, sorted((path.name, path.stat().st_mtime_ns) for path in worker.rglob("*")))

    def test_a_run_that_makes_no_sense_is_named_and_the_others_are_served(self):
        run = self.stop_in_a_run()
        with sqlite3.connect(self.box.state / "baton.db") as database:
            database.execute("UPDATE runs SET params = '{'")
        self.box.start()
        doctor = self.box.baton("doctor", "-o", "json")
        self.assertEqual(doctor.returncode, 1)
        found = [check["detail"] for check in json.loads(doctor.stdout) if check["name"] == "stored runs"]
        self.assertEqual(len(found), 1, doctor.stdout)
        self.assertRegex(found[0], f"left alone: run {run}: .+")
        self.box.baton("run", self.box.write("quick.yaml", QUICK), check=0)


if __name__ == "__main__":
    harness.main()
