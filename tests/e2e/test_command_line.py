"""The command line in unfriendly surroundings."""
import json
import signal
import stat
import subprocess

import harness

TASK = "tasks:\n  a: {run: pwd}\n"


class CommandLine(harness.TestCase):
    def spawn(self, *args, **options):
        process = self.box.spawn(*args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)
        self.addCleanup(process.communicate)
        return process

    def test_a_workflow_on_standard_input_runs_in_the_current_folder(self):
        self.box.start()
        run = self.spawn("baton", "run", "-q", "-", stdin=subprocess.PIPE)
        name, err = run.communicate(TASK)
        self.assertEqual((run.returncode, err), (0, ""))
        self.assertEqual(self.box.logs(name.strip()), f"{self.box.work}\n")
        self.assertEqual(self.box.describe(name.strip())["workflow"], "stdin")
        wrong = self.spawn("baton", "validate", "-", stdin=subprocess.PIPE)
        out, err = wrong.communicate("tasks:\n  a: {rum: x}\n")
        self.assertEqual((wrong.returncode, out), (3, "<stdin>: 2 errors\n"))
        self.assertIn("<stdin>:2:7: error: unknown key `rum`", err)

    def test_a_daemon_that_stands_still_is_named_once_and_waited_for(self):
        daemon = self.box.start()
        daemon.process.send_signal(signal.SIGSTOP)
        self.addCleanup(daemon.process.send_signal, signal.SIGCONT)
        listing = self.spawn("baton", "ls", "-o", "json")
        said = listing.stderr.readline()
        daemon.process.send_signal(signal.SIGCONT)
        out, err = listing.communicate()
        self.assertEqual((listing.returncode, out.strip(), err), (0, "[]", ""))
        self.assertEqual(said, f"baton: the daemon (pid {daemon.pid}) does not answer yet; waiting for it\n")

    def test_what_could_not_be_done_is_not_taken_for_a_run_that_failed(self):
        self.box.start()
        run = self.box.submit(self.box.write("a.yaml", TASK))
        self.box.wait(run)
        self.assertIn("already ended", self.box.baton("cancel", run, check=6).stderr)
        self.assertIn("nothing to retry", self.box.baton("retry", run, check=6).stderr)
        with open("/dev/full", "w") as full:
            attached = self.box.spawn("baton", "run", self.box.work / "a.yaml", stdout=full, stderr=subprocess.PIPE, text=True)
            self.assertIn("cannot write the output", attached.communicate()[1])
        self.assertEqual(attached.returncode, 6)
        self.box.env["PATH"] = str(harness.BIN)
        self.assertIn("needs Graphviz", self.box.baton("graph", self.box.work / "a.yaml", "-o", "svg", check=6).stderr)

    def test_a_key_gives_its_run_to_the_same_request_alone(self):
        self.box.start()
        text = "params: {n: {type: int, default: 1}}\nlabels: {a: of the file, c: d}\npriority: 3\n" + TASK
        request = {"entry": "a.yaml", "files": {"a.yaml": text}, "working_dir": "/", "params": {"n": 2}, "labels": {"a": "b"}}
        submit = lambda body: self.box.api("POST", "/v1/runs", body, {"Idempotency-Key": "key"})
        status, run = submit(request)
        self.assertEqual((status, submit(request)[1]["id"]), (201, run["id"]))
        for change in ({"files": {"a.yaml": TASK}, "params": {}}, {"working_dir": "/tmp"}, {"params": {}}, {"params": {"n": "x"}},
                       {"labels": {}}, {"priority": 7}):
            status, problem = submit(request | change)
            self.assertEqual((status, problem["code"]), (409, "conflict"), problem)
            self.assertIn(run["id"], problem["detail"])
        self.assertEqual(submit(request | {"priority": 3})[1]["id"], run["id"])

    def test_a_key_gives_its_run_also_after_a_retry_with_other_parameters(self):
        self.box.start()
        text = "params: {n: {type: int}}\ntasks: {a: {env: {N: '${{ params.n }}'}, run: 'test \"$N\" = 5'}}\n"
        request = {"entry": "a.yaml", "files": {"a.yaml": text}, "working_dir": "/", "params": {"n": 2}}
        submit = lambda: self.box.api("POST", "/v1/runs", request, {"Idempotency-Key": "key"})[1]["id"]
        run = submit()
        self.box.wait(run, check=1)
        self.box.baton("retry", run, "-p", "n=5", check=0)
        self.box.wait(run)
        self.assertEqual(submit(), run)

    def test_a_working_directory_that_was_removed_is_no_finding(self):
        self.box.start().stop()
        gone = ("sh", "-c", 'mkdir gone && cd gone && rmdir ../gone && exec "$@"', "sh")
        for verb in (("daemon", "adopt"), ("doctor",), ("doctor", "--fsck")):
            process = self.box.spawn("baton", *verb, under=gone, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            said = process.communicate()[0]
            self.assertEqual(process.returncode, 0, said)
            self.assertNotIn("does not say", said)

    def test_a_umask_that_takes_rights_from_its_user_is_for_tasks_alone(self):
        self.box.env["BATON_NO_START"] = ""
        umask = "tasks:\n  a: {run: 'umask; echo ${BATON_UMASK-none}'}\n"
        run = self.spawn("baton", "run", self.box.write("umask.yaml", umask), under=("sh", "-c", 'umask 0277; exec "$@"', "sh"))
        out, err = run.communicate()
        self.assertEqual(run.returncode, 0, out + err)
        self.assertEqual(self.box.logs("last"), "0277\nnone\n")
        for path in [self.box.state, *self.box.state.rglob("*")]:
            mode = path.stat(follow_symlinks=False).st_mode
            wanted = 0o700 if stat.S_ISDIR(mode) else 0o600
            if stat.S_ISDIR(mode) or stat.S_ISREG(mode):
                self.assertEqual(mode & wanted, wanted, path)

    def doctor(self):
        """Exit code, and what is not well."""
        result = self.box.baton("doctor", "-o", "json")
        return result.returncode, {check["name"]: check["detail"] for check in json.loads(result.stdout) if check["state"] == "error"}

    def test_doctor_names_what_a_start_would_refuse(self):
        self.box.start().stop()
        self.assertEqual(self.doctor(), (0, {}))
        self.box.configure("pols: {}\n")
        code, errors = self.doctor()
        self.assertEqual((code, list(errors)), (1, ["configuration"]))
        self.assertRegex(errors["configuration"], r"config\.yaml:1:1: unknown key `pols`")
        self.box.configure("")
        copy = self.box.root / "copy.db"
        self.box.baton("daemon", "backup", copy, check=0)
        for old in self.box.state.glob("baton.db*"):
            old.unlink()
        copy.rename(self.box.state / "baton.db")
        code, errors = self.doctor()
        self.assertEqual((code, list(errors)), (1, ["database"]))
        self.assertIn("is a backup", errors["database"])
        self.assertRegex(self.box.baton("daemon", "adopt", check=0).stdout, r"\Aadopted: ")
        self.assertEqual(self.doctor(), (0, {}))
        self.assertRegex(self.box.baton("daemon", "adopt", check=0).stdout, r"\Athere was nothing to adopt: ")

    def test_without_descriptors_to_work_with_nothing_begins(self):
        few = ("prlimit", "--nofile=16")
        with self.assertRaises(harness.StartFailed) as failed:
            self.box.start(under=few)
        self.assertEqual(failed.exception.said, "error: batond needs 64 descriptors and may have 16 (ulimit -n)\n")
        self.box.start()
        listing = self.spawn("baton", "ls", under=few)
        out, err = listing.communicate()
        self.assertEqual((listing.returncode, out), (6, ""))
        self.assertEqual(err, "baton: the command line needs 64 descriptors and may have 16 (ulimit -n)\n")


if __name__ == "__main__":
    harness.main()
