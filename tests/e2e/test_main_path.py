"""From a file to an exit code through all three programs, and what a crash of the daemon does to it: nothing."""
import concurrent.futures
import os
import signal
import subprocess
import unittest

import harness

HELLO = """\
tasks:
  greet:
    run: |
      echo "hello from $BATON_TASK"
      echo "and to stderr" >&2
"""

# A task that says that it runs, then waits until it is let go.
HELD = """\
tasks:
  held:
    run: |
      echo "$BATON_IDEMPOTENCY_KEY" >> "{work}/starts"
      echo "before"
      echo started > "{work}/started"
      read line < "{work}/go"
      echo "after $line"
  next:
    needs: held
    run: echo "$BATON_IDEMPOTENCY_KEY" >> "{work}/starts"
"""


class MainPath(harness.TestCase):
    def test_a_task_succeeds(self):
        self.box.start()
        result = self.box.baton("run", self.box.write("hello.yaml", HELLO))
        self.assertEqual(result.returncode, 0, result.stderr + self.box.log())
        run = self.box.describe("last")
        self.assertEqual(run["state"], "succeeded")
        self.assertEqual(run["workflow"], "hello")
        self.assertEqual(run["number"], 1)
        (task,) = run["tasks"]
        self.assertEqual(task["state"], "succeeded")
        (attempt,) = task["attempts"]
        self.assertEqual((attempt["number"], attempt["exit_code"], attempt["worker"]), (1, 0, "local"))
        self.assertEqual(self.box.logs("last", "greet"), "hello from greet\nand to stderr\n")

    def test_a_task_fails(self):
        self.box.start()
        result = self.box.baton("run", self.box.write("fails.yaml", "tasks: {a: {run: exit 3}, b: {needs: a, run: 'true'}}\n"))
        self.assertEqual(result.returncode, 1, result.stdout + result.stderr)
        run = self.box.describe("last")
        self.assertEqual(run["state"], "failed")
        self.assertEqual(self.box.states("last"), {"a": "failed", "b": "upstream_failed"})
        self.assertEqual(run["tasks"][0]["attempts"][0]["class"], "exit:3")

    def test_of_a_failed_task_that_wrote_an_endless_line_the_end_is_shown(self):
        self.box.start()
        text = "tasks: {a: {run: 'head -c 3000000 /dev/zero | tr \"\\0\" y; echo \"the reason\"; exit 3'}}\n"
        result = self.box.baton("run", self.box.write("line.yaml", text), check=1)
        self.assertIn("bytes left out", result.stdout)
        self.assertIn("ythe reason\n", result.stdout)
        self.assertLess(len(result.stdout), 32 << 10)

    def test_an_invalid_file_makes_no_run(self):
        self.box.start()
        result = self.box.baton("run", self.box.write("bad.yaml", "tasks: {a: {run: 'true', needz: b}}\n"))
        self.assertEqual(result.returncode, 3)
        self.assertIn("bad.yaml:1:", result.stderr)
        self.assertEqual(self.box.baton("ls", "-o", "json", check=0).stdout.strip(), "[]")

    def test_the_same_request_key_gives_the_same_run(self):
        self.box.start()
        body = {"entry": "hello.yaml", "files": {"hello.yaml": HELLO}, "working_dir": str(self.box.work)}
        submit = lambda key: self.box.api("POST", "/v1/runs", body, {"Idempotency-Key": key})[1]["id"]
        # At once, and again when the first is long there.
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            runs = set(pool.map(submit, ["key-1"] * 8))
        self.assertEqual(len(runs), 1)
        (run,) = runs
        self.assertRegex(run, r"^[0-9a-z]{13}$")
        self.assertEqual(submit("key-1"), run)
        self.assertNotEqual(submit("key-2"), run)

    def test_outputs_and_params(self):
        self.box.start()
        path = self.box.write("out.yaml", """\
params: {who: world}
tasks:
  a:
    env: {WHO: "${{ params.who }}"}
    run: echo "greeting=hello $WHO" >> "$BATON_OUTPUT"
    outputs: [greeting]
  b:
    needs: a
    command: [echo, "${{ needs.a.outputs.greeting }}"]
""")
        run = self.box.submit(path, "-p", "who=you all")
        self.box.wait(run)
        self.assertEqual(self.box.logs(run, "b"), "hello you all\n")

    def test_a_matrix(self):
        self.box.start()
        run = self.box.submit(self.box.write("m.yaml", "tasks: {t: {matrix: {n: [1, 2, 3]}, command: [echo, '${{ matrix.n }}']}}\n"))
        self.box.wait(run)
        self.assertEqual(self.box.states(run), {f"t[n={n}]": "succeeded" for n in (1, 2, 3)})
        self.assertEqual(self.box.logs(run, "t[n=2]"), "2\n")


class Crash(harness.TestCase):
    def begin_held(self):
        """A run whose first task is known to run, and the pipe that lets it go."""
        started, go = self.box.fifo("started"), self.box.fifo("go")
        run = self.box.submit(self.box.write("held.yaml", HELD.format(work=self.box.work)))
        with open(started) as pipe:
            self.assertEqual(pipe.read(), "started\n")
        return run, go

    def check_ended(self, run):
        self.box.wait(run)
        self.assertEqual(self.box.states(run), {"held": "succeeded", "next": "succeeded"})
        self.assertEqual((self.box.work / "starts").read_text(), f"{run}/held/1\n{run}/next/1\n")
        self.assertEqual(self.box.logs(run, "held"), "before\nafter go\n")

    def test_a_killed_daemon_goes_on_with_a_task_that_still_runs(self):
        daemon = self.box.start()
        run, go = self.begin_held()
        daemon.kill()
        self.assertEqual(self.box.baton("ls").returncode, 4)
        self.box.start()
        go.write_text("go\n")
        self.check_ended(run)

    def test_a_killed_daemon_learns_how_a_task_ended_meanwhile(self):
        daemon = self.box.start()
        run, go = self.begin_held()
        daemon.kill()
        go.write_text("go\n")
        self.box.start()
        self.check_ended(run)

    def test_a_stopped_daemon_leaves_tasks_alone(self):
        daemon = self.box.start()
        run, go = self.begin_held()
        self.assertEqual(daemon.stop(), 0)
        self.box.start()
        go.write_text("go\n")
        self.check_ended(run)

    def test_clients_do_not_bring_back_a_daemon_that_was_stopped(self):
        self.box.start()
        first, second = self.box.fifo("first"), self.box.fifo("second")
        path = self.box.write("watched.yaml", f"""tasks:
  a: {{run: 'read line < "{first}"'}}
  b: {{needs: a, run: 'echo begun; read line < "{second}"'}}
""")
        del self.box.env["BATON_NO_START"]
        follow = self.box.spawn("baton", "run", path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.assertTrue(any("a  running" in line for line in iter(follow.stdout.readline, "")))
        logs = self.box.spawn("baton", "logs", "-f", "last", stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        first.write_text("go\n")
        # Both have heard of what has happened since they began.
        self.assertTrue(any("b  running" in line for line in iter(follow.stdout.readline, "")))
        self.assertEqual(logs.stdout.readline(), "b | begun\n")
        self.box.baton("daemon", "stop", check=0)
        for client in (follow, logs):
            _, said = client.communicate()
            self.assertEqual(client.returncode, 4, said)
            self.assertRegex(said, "^baton: the daemon was stopped; .*baton wait [^ \n]+\n$")
        self.assertEqual(self.box.baton("daemon", "status").returncode, 4)
        self.box.start()
        second.write_text("go\n")
        self.box.wait("last")

    def follow_logs(self, *args):
        return self.box.spawn("baton", "logs", "-f", "last", *args, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    def test_logs_of_everything_that_runs_are_followed(self):
        self.box.configure("workers: [{name: local, cpu: 8}]\n")
        self.box.start()
        go = [self.box.fifo(f"go{n}") for n in range(6)]
        self.box.submit(self.box.write("many.yaml", f"""tasks:
  x: {{run: 'echo first; read line < "{self.box.fifo("first")}"'}}
  y: {{run: 'echo first; read line < "{self.box.fifo("second")}"'}}
  z: {{needs: [x, y], matrix: {{n: [0, 1, 2, 3, 4, 5]}}, env: {{N: "${{{{ matrix.n }}}}"}}, run: 'echo begun; read line < "{self.box.work}/go$N"'}}
"""))
        logs = self.follow_logs()
        self.assertEqual(sorted(logs.stdout.readline() for _ in range(2)), ["x | first\n", "y | first\n"])
        for name in ("first", "second"):
            (self.box.work / name).write_text("go\n")
        # None of them ends before all have been heard.
        self.assertEqual(sorted(logs.stdout.readline() for _ in range(6)), [f"z[n={n}] | begun\n" for n in range(6)])
        for each in go:
            each.write_text("go\n")
        self.assertEqual(logs.communicate()[0], "")
        self.assertEqual(logs.returncode, 0)

    def test_logs_go_on_after_a_crash_although_nothing_else_happens(self):
        daemon = self.box.start()
        go, end = self.box.fifo("go"), self.box.fifo("end")
        self.box.submit(self.box.write("told.yaml", f"tasks: {{a: {{run: 'echo one; read line < {go}; echo two; read line < {end}'}}}}\n"))
        del self.box.env["BATON_NO_START"]
        logs = self.follow_logs("a")
        self.assertEqual(logs.stdout.readline(), "one\n")
        daemon.kill()
        go.write_text("go\n")
        self.assertEqual(logs.stdout.readline(), "two\n")
        end.write_text("go\n")
        self.assertEqual(logs.communicate()[0], "")
        self.assertEqual(logs.returncode, 0)

    def test_the_tail_of_a_log_is_that_of_its_last_attempt(self):
        self.box.start()
        started, end = self.box.fifo("started"), self.box.fifo("end")
        self.box.submit(self.box.write("again.yaml", f"""tasks:
  a:
    retry: {{max_retries: 1, delay: 1ms}}
    run: |
      if [ "$BATON_ATTEMPT" = 1 ]; then seq 5; exit 1; fi
      echo second; echo started > {started}; read line < {end}
"""))
        started.read_text()
        logs = self.follow_logs("--tail", "1")
        self.assertEqual(logs.stdout.readline(), "a | second\n")
        end.write_text("go\n")
        self.assertEqual(logs.communicate()[0], "")

    def test_an_interrupt_ends_logs_that_nobody_reads(self):
        self.box.start()
        self.box.wait(self.box.submit(self.box.write("much.yaml", "tasks: {a: {run: 'yes | head -c 10000000'}}\n")))
        logs = self.follow_logs()
        self.assertEqual(logs.stdout.read(1), "a")
        logs.send_signal(signal.SIGINT)
        self.assertEqual(logs.wait(), 130)
        logs.stdout.close()

    def test_closed_standard_output_takes_nothing_with_it(self):
        self.box.start()
        path = self.box.write("hi.yaml", "tasks: {a: {run: 'echo hi'}}\n")
        closed = self.box.spawn("baton", "run", path, stderr=subprocess.PIPE, text=True, preexec_fn=lambda: os.close(1))
        said = closed.communicate()[1]
        self.assertNotEqual(closed.returncode, 0, said)
        self.assertRegex(said, r"\Abaton: [^\n]*\n\Z")
        self.box.wait("last")

    def test_who_follows_is_told_why_nothing_starts(self):
        self.box.configure("pools: {database: 0}\n")
        self.box.start()
        path = self.box.write("closed.yaml", "tasks: {a: {pool: database, command: ['true']}}\n")
        follow = self.box.spawn("baton", "run", path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        said = next((line for line in iter(follow.stdout.readline, "") if "nothing has started yet" in line), "")
        self.assertRegex(said, "^\\? nothing has started yet: a: .*database")
        self.box.baton("cancel", "last", check=0)
        self.assertNotIn("nothing has started", follow.communicate()[0])
        self.assertEqual(follow.returncode, 7)

    def test_finished_runs_are_there_after_a_restart(self):
        daemon = self.box.start()
        run = self.box.submit(self.box.write("hello.yaml", HELLO))
        self.box.wait(run)
        before = self.box.describe(run)
        daemon.kill()
        self.box.start()
        self.assertEqual(self.box.describe(run), before)
        self.assertEqual(self.box.logs(run, "greet"), "hello from greet\nand to stderr\n")
        self.assertEqual(self.box.describe(self.box.submit("hello.yaml"))["number"], 2)

    def test_cancel_ends_a_running_task(self):
        self.box.start()
        run, _ = self.begin_held()
        self.box.baton("cancel", run, check=0)
        self.box.wait(run, check=7)
        self.assertEqual(self.box.states(run), {"held": "cancelled", "next": "cancelled"})

    def test_a_failed_task_is_retried_by_hand(self):
        self.box.start()
        path = self.box.write("retry.yaml", f"""\
tasks:
  a:
    run: echo "$BATON_IDEMPOTENCY_KEY" >> "{self.box.work}/starts"
  b:
    needs: a
    run: |
      echo "$BATON_IDEMPOTENCY_KEY" >> "{self.box.work}/starts"
      test -e "{self.box.work}/fixed"
""")
        run = self.box.submit(path)
        self.box.wait(run, check=1)
        self.box.write("fixed", "")
        self.box.baton("retry", run, check=0)
        self.box.wait(run)
        self.assertEqual(self.box.states(run), {"a": "succeeded", "b": "succeeded"})
        self.assertEqual((self.box.work / "starts").read_text(), f"{run}/a/1\n{run}/b/1\n{run}/b/2\n")


class Start(harness.TestCase):
    def assert_start_fails(self, code, text, *args):
        with self.assertRaises(harness.StartFailed) as caught:
            self.box.start(*args)
        self.assertEqual(caught.exception.code, code)
        self.assertRegex(caught.exception.said, r"\Aerror: [^\n]+\n\Z")
        self.assertIn(text, caught.exception.said)

    def test_a_second_daemon_is_turned_away(self):
        daemon = self.box.start()
        self.assert_start_fails(1, f"another batond (pid {daemon.pid}) uses {self.box.state}")
        self.box.baton("ls", check=0)

    def test_the_state_directory_is_private(self):
        self.box.start()
        self.assertEqual(self.box.state.stat().st_mode & 0o777, 0o700)
        self.assertEqual((self.box.state / "baton.sock").stat().st_mode & 0o777, 0o600)

    def test_a_bad_configuration_is_named_with_its_place(self):
        self.box.configure("pools:\n  gpu: lots\n")
        self.assert_start_fails(1, "config.yaml:2:8: ")

    def test_a_state_directory_that_is_a_file(self):
        self.box.state.write_text("")
        self.assert_start_fails(1, "is not a directory")

    @unittest.skipIf(os.geteuid() != 0, "only root can give a folder away")
    def test_the_state_directory_of_somebody_else_is_denied(self):
        self.box.state.mkdir(mode=0o700)
        os.chown(self.box.state, 12345, 12345)
        self.assert_start_fails(6, "belongs to uid 12345")

    def test_a_database_that_is_not_one(self):
        self.box.state.mkdir(mode=0o700)
        (self.box.state / "baton.db").write_bytes(b"not a database " * 1000)
        self.assert_start_fails(1, "baton.db")


if __name__ == "__main__":
    harness.main()
