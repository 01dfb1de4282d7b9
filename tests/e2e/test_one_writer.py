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
        self.assertEqual((refused.returncode, refused.stderr), (6, "baton: the run has not ended yet\n"))
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

    def start_a_task_that_lives(self):
        """A running task, and a pipe that is at its end when no process of it is left."""
        for pipe in ("alive", "never"):
            self.box.fifo(pipe)
        run = self.box.submit(self.box.write("later.yaml", LATER.format(work=self.box.work)))
        alive = open(self.box.work / "alive")
        self.addCleanup(alive.close)
        self.assertEqual(alive.readline(), "up\n")
        self.box.await_event(run, "later", "running")
        return alive

    def test_a_lost_database_begins_anew_once_that_is_adopted(self):
        self.lose_the_database(refused_before=True)

    def test_a_lost_database_can_be_adopted_before_any_start(self):
        self.lose_the_database(refused_before=False)

    def lose_the_database(self, refused_before):
        daemon = self.box.start()
        alive = self.start_a_task_that_lives()
        daemon.stop()
        for suffix in ("", "-wal", "-shm"):
            (self.box.state / f"baton.db{suffix}").unlink(missing_ok=True)
        if refused_before:
            for _ in range(2):
                with self.assertRaises(harness.StartFailed) as failed:
                    self.box.start()
                self.assertIn("baton daemon adopt", failed.exception.said)
        doctor = self.box.baton("doctor")
        self.assertEqual(doctor.returncode, 1)
        self.assertIn("baton daemon adopt", doctor.stdout)
        self.box.baton("daemon", "adopt", check=0)
        self.box.start()
        self.assertEqual(alive.read(), "")  # nobody knows its task any more
        self.box.baton("run", self.box.write("quick.yaml", QUICK), check=0)
        self.box.baton("doctor", check=0)

    def test_the_database_of_another_state_takes_no_task_of_its_workers_for_its_own(self):
        for pipe in ("started", "go"):
            self.box.fifo(pipe)
        other = ("--state-dir", self.box.root / "other")
        daemon = self.box.start(*other)
        held = self.box.write("held.yaml", HELD.format(work=self.box.work))
        run = self.box.baton(*other, "submit", held, check=0).stdout.strip()
        (self.box.work / "started").read_text()
        self.box.await_event(run, "held", "running", *other)  # what is about to start begins anew after an adoption
        copy = self.box.root / "backup.db"
        self.box.baton(*other, "daemon", "backup", copy, check=0)
        daemon.stop()
        daemon = self.box.start()
        alive = self.start_a_task_that_lives()  # under the same attempt's id
        daemon.stop()
        self.put_back(copy)
        result = self.box.baton("doctor", "--fsck")
        self.assertEqual(result.returncode, 1)
        self.assertIn("baton daemon adopt", result.stdout)
        self.assertIn("another state", self.box.baton("daemon", "adopt", check=0).stdout)
        self.check_clean()
        self.box.start()
        self.assertEqual(alive.read(), "")
        self.box.wait(run, check=1)
        [task] = self.box.describe(run)["tasks"]
        self.assertTrue(task["reason"].startswith("worker_lost"), task["reason"])
        self.box.baton("run", self.box.write("quick.yaml", QUICK), check=0)

    def test_a_database_that_is_removed_under_its_daemon_loses_no_run(self):
        for removed in (["baton.db"], ["baton.db-wal"], ["baton.db-shm"], ["baton.db", "baton.db-wal", "baton.db-shm"]):
            with self.subTest(removed=removed):
                for name in ("started", "go"):
                    (self.box.work / name).unlink(missing_ok=True)
                    self.box.fifo(name)
                daemon = self.box.start()
                ended = self.box.submit(self.box.write("quick.yaml", QUICK))
                self.box.wait(ended)
                run = self.box.submit(self.box.write("held.yaml", HELD.format(work=self.box.work)))
                (self.box.work / "started").read_text()
                for name in removed:
                    (self.box.state / name).unlink()
                self.assertEqual(daemon.process.wait(), 1)
                self.assertIn("nothing is lost", self.box.log())
                self.check_clean()
                (self.box.work / "go").write_text("on\n")
                daemon = self.box.start()
                self.box.wait(run)
                self.assertEqual(self.box.describe(ended)["state"], "succeeded")
                self.assertEqual(self.box.describe(run)["tasks"][0]["attempts"][0]["number"], 1)
                daemon.stop()

    def test_a_database_that_was_removed_is_put_back_by_a_daemon_that_is_told_to_end(self):
        daemon = self.box.start()
        run = self.box.submit(self.box.write("quick.yaml", QUICK))
        self.box.wait(run)
        os.kill(daemon.pid, signal.SIGSTOP)  # so that the end is what it sees first
        (self.box.state / "baton.db").unlink()
        daemon.process.terminate()
        os.kill(daemon.pid, signal.SIGCONT)
        daemon.process.wait()
        self.box.start()
        self.assertEqual(self.box.describe(run)["state"], "succeeded")

    def test_a_database_that_is_replaced_under_its_daemon_is_left_alone_and_the_state_saved(self):
        daemon = self.box.start()
        copy = self.box.root / "backup.db"
        self.box.baton("daemon", "backup", copy, check=0)
        run = self.box.submit(self.box.write("quick.yaml", QUICK))
        self.box.wait(run)
        os.rename(copy, self.box.state / "baton.db")
        self.assertEqual(daemon.process.wait(), 1)
        with self.assertRaises(harness.StartFailed) as failed:
            self.box.start()
        self.assertIn("is a backup", failed.exception.said)
        [saved] = self.box.state.glob("saved-*.db")
        self.put_back(saved)
        self.check_clean()
        self.box.start()
        self.assertEqual(self.box.describe(run)["state"], "succeeded")

    def test_a_daemon_whose_socket_is_gone_listens_anew(self):
        self.box.start()
        (self.box.state / "baton.sock").unlink()
        self.await_daemon()
        self.box.baton("run", self.box.write("quick.yaml", QUICK), check=0)
        self.assertIn("was removed or replaced", self.box.log())

    def test_a_daemon_is_found_whatever_the_runtime_directory_is(self):
        """As from a login and from cron; then the user logs out and the directory goes."""
        state = self.box.root / ".local" / "state" / "baton"
        del self.box.env["BATON_STATE_DIR"], self.box.env["BATON_NO_START"]
        runtime = self.box.root / "runtime"
        runtime.mkdir(mode=0o700)
        self.box.env["XDG_RUNTIME_DIR"] = str(runtime)
        status = self.box.baton("daemon", "start", "-o", "json", check=0)
        pid = json.loads(status.stdout)["pid"]
        self.addCleanup(self.box.baton, "daemon", "stop")
        del self.box.env["XDG_RUNTIME_DIR"]

        def same_daemon():
            found = json.loads(self.box.baton("daemon", "status", "-o", "json", check=0).stdout)
            self.assertEqual(found["pid"], pid)
            return found["socket"]

        self.assertEqual(same_daemon(), f"{runtime}/baton/baton.sock")
        run = self.box.baton("run", self.box.write("quick.yaml", QUICK))
        self.assertEqual(run.returncode, 0, run.stderr)
        shutil.rmtree(runtime)
        runtime.write_text("in its place")
        self.await_daemon()
        self.assertEqual(same_daemon(), f"{state}/baton.sock")
        self.box.env["XDG_RUNTIME_DIR"] = str(self.box.root / "other")
        self.assertEqual(same_daemon(), f"{state}/baton.sock")
        self.box.baton("daemon", "stop", check=0)
        self.assertIn("no daemon runs", self.box.baton("daemon", "stop", check=0).stderr)

    def test_a_daemon_that_cannot_be_reached_is_not_taken_for_none(self):
        daemon = self.box.start()
        os.kill(daemon.pid, signal.SIGSTOP)  # or it would listen anew
        (self.box.state / "baton.sock").unlink()
        for verb in (("daemon", "stop"), ("daemon", "status"), ("ls",)):
            result = self.box.baton(*verb)
            self.assertEqual(result.returncode, 4, verb)
            self.assertIn(f"batond (pid {daemon.pid})", result.stderr)
        doctor = self.box.baton("doctor")
        self.assertEqual(doctor.returncode, 1)
        self.assertIn(f"batond (pid {daemon.pid})", doctor.stdout)
        os.kill(daemon.pid, signal.SIGCONT)

    def await_daemon(self):
        """Until it is found again; the alarm ends it."""
        while self.box.baton("daemon", "status").returncode != 0:
            pass

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
