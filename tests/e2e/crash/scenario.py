"""One run that says everything, one that is cancelled, and what must be true of them whatever was killed meanwhile."""
import http.client
import json
import re
import sys
import urllib.parse
import pathlib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import harness  # noqa: E402

# Every attempt writes its key first, so that a second start of the same number would be seen.
RUN = """\
defaults: {{env: {{WITNESS: "{work}/witness"}}}}
tasks:
  ok:
    outputs: [word]
    run: |
      echo "$BATON_IDEMPOTENCY_KEY" >> "$WITNESS"
      echo out; echo err >&2
      echo "word=passed on" >> "$BATON_OUTPUT"
  bad:
    run: |
      echo "$BATON_IDEMPOTENCY_KEY" >> "$WITNESS"
      exit 3
  grid:
    matrix: {{n: [1, 2]}}
    env: {{N: "${{{{ matrix.n }}}}"}}
    run: |
      echo "$BATON_IDEMPOTENCY_KEY" >> "$WITNESS"
      echo "n $N"
  again:
    retry: {{max_retries: 3, delay: 1ms, on: ["exit:75", worker_lost]}}
    run: |
      echo "$BATON_IDEMPOTENCY_KEY" >> "$WITNESS"
      test "$BATON_ATTEMPT" -gt 1 || exit 75
  uses:
    needs: ok
    env: {{WORD: "${{{{ needs.ok.outputs.word }}}}"}}
    run: |
      echo "$BATON_IDEMPOTENCY_KEY" >> "$WITNESS"
      echo "got $WORD"
"""
HELD = """\
tasks:
  held:
    grace: 0s
    run: |
      echo "$BATON_IDEMPOTENCY_KEY" >> "{work}/witness"
      exec sleep 1000
  never: {{needs: held, run: 'echo "$BATON_IDEMPOTENCY_KEY" >> "{work}/witness"'}}
"""
PROBE = "tasks: {probe: {command: ['true']}}\n"
LOGS = {"ok": "out\nerr\n", "bad": "", "grid[n=1]": "n 1\n", "grid[n=2]": "n 2\n", "again": "", "uses": "got passed on\n"}
GONE = (OSError, http.client.HTTPException, json.JSONDecodeError)


def exit_code(task, attempt):
    return 3 if task == "bad" else 75 if task == "again" and attempt == 1 else 0


class Broken(Exception):
    """A promise that was not kept."""


def demand(truth, text):
    if not truth:
        raise Broken(text)


class Scenario:
    """Drives a sandbox to the end of both runs; starts the daemon again whenever it is gone. `start` makes a daemon and
    may be any way of starting one: the first is the one that is swept."""

    def __init__(self, box, start):
        self.box = box
        self.start_first = start
        self.daemon = None
        self.starts = 0
        self.acknowledged = {}  # request key → run id
        self.may_lose = False  # exits: only if the supervisor was killed, and somebody else

    def up(self):
        if self.daemon is not None:
            self.daemon.process.wait()
        for _ in range(20):
            self.starts += 1
            try:
                self.daemon = self.start_first() if self.starts == 1 else self.box.start()
                return
            except harness.StartFailed as failure:
                # Killed before it could say anything is what the sweep is about; an answer is a finding.
                demand(failure.said == "", f"batond does not start: {failure.said}")
        raise Broken("batond does not come up")

    def ask(self, method, path, body=None, headers=None):
        """A request, over and over until a daemon has answered it."""
        for _ in range(20):
            try:
                status, answer = self.box.api(method, path, body, headers)
                return status, answer
            except GONE:
                self.up()
        raise Broken(f"{method} {path} is never answered")

    def submit(self, key, text):
        body = {"entry": key + ".yaml", "files": {key + ".yaml": text}, "working_dir": str(self.box.work)}
        status, run = self.ask("POST", "/v1/runs", body, {"Idempotency-Key": key})
        demand(status in (200, 201), f"submit: {status} {run}")
        demand(self.acknowledged.setdefault(key, run["id"]) == run["id"], f"{key} has become another run")
        return run["id"]

    def follow(self, run, enough=lambda event: False):
        """Reads the run's events until it ends or one is enough."""
        for _ in range(20):
            connection = harness.UnixConnection(str(self.box.state / "baton.sock"))
            try:
                connection.request("GET", f"/v1/runs/{run}/events?follow=true")
                response = connection.getresponse()
                demand(response.status == 200, f"run {run} was acknowledged and is gone: {response.status}")
                while line := response.readline():
                    if enough(json.loads(line)):
                        return
                if self.state(run) in ("succeeded", "failed", "cancelled"):
                    return
            except GONE:
                self.up()
            finally:
                connection.close()
        raise Broken(f"run {run} does not end: {self.state(run)}")

    def state(self, run):
        return self.ask("GET", f"/v1/runs/{run}")[1]["state"]

    def tasks(self, run):
        self.state(run)  # so that there is a daemon
        return self.box.describe(run)["tasks"]

    def play(self):
        self.up()
        work = self.box.work
        main = self.submit("main", RUN.format(work=work))
        held = self.submit("held", HELD.format(work=work))
        self.follow(main)
        self.follow(held, lambda event: event.get("task") == "held" and event.get("state") not in ("waiting", "ready", "starting"))
        self.ask("POST", f"/v1/runs/{held}/cancel", {})
        self.follow(held)

    def check(self):
        """Everything that must be true afterwards; gives the states that were found."""
        found = {}
        for key, run in list(self.acknowledged.items()):
            demand(self.submit(key, (RUN if key == "main" else HELD).format(work=self.box.work)) == run, "another run")
        # Work goes on, and the worker is there to read logs from.
        self.follow(self.submit("probe", PROBE))
        path = self.box.work / "witness"
        keys = path.read_text().splitlines() if path.exists() else []
        demand(len(keys) == len(set(keys)), f"started twice: {keys}")
        main, held = self.acknowledged["main"], self.acknowledged["held"]
        known = set()
        for task in self.tasks(main):
            demand(task["state"] in ("succeeded", "failed", "upstream_failed"), f"{task['name']} is {task['state']}")
            for attempt in task["attempts"]:
                key = f"{main}/{task['name']}/{attempt['number']}"
                known.add(key)
                self.check_attempt(main, task, attempt, key in keys)
                state = attempt.get("class") or attempt["state"]
                found[state] = found.get(state, 0) + 1
            if task["attempts"]:
                last = task["attempts"][-1]["state"]
                demand((last == "succeeded") == (task["state"] == "succeeded"), f"{task['name']}: {task['state']}, {last}")
        for task in self.tasks(held):
            known |= {f"{held}/{task['name']}/{attempt['number']}" for attempt in task["attempts"]}
            allowed = ("cancelled", "failed") if task["name"] == "held" else ("cancelled", "upstream_failed")
            demand(task["state"] in allowed, f"{task['name']} is {task['state']}")
            demand(task["name"] == "held" or not task["attempts"], "a task was started after its run was cancelled")
        demand(set(keys) <= known, f"started, and no attempt says so: {set(keys) - known}")
        left = self.box.processes(task=True)
        demand(not left, f"processes of finished attempts are left: {left}")
        return found

    def check_attempt(self, run, task, attempt, witnessed):
        name, number, klass = task["name"], attempt["number"], attempt.get("class") or ""
        what = f"{name}, attempt {number}: {attempt}"
        code = exit_code(name, number)
        if attempt["state"] == "succeeded" or klass.startswith("exit:"):
            demand(witnessed, f"it has a made-up end; {what}")
            demand(attempt["exit_code"] == code and (attempt["state"] == "succeeded") == (code == 0), f"exit code; {what}")
            demand(self.log(run, name, number) == LOGS[name], f"log {self.log(run, name, number)!r}; {what}")
        else:
            # signal:SIGKILL: the sweep killed the child between its clone and its exec.
            true_ends = r"worker_lost|signal:(SIG)?KILL" if self.may_lose else r"signal:(SIG)?KILL"
            demand(re.match(true_ends, klass), f"its end is made up or lost; {what}")

    def log(self, run, task, attempt):
        arguments = ("logs", run, task, "--attempt", attempt)
        for again in range(3):
            result = self.box.baton(*arguments)
            if result.returncode == 0:
                break
            # The kill may have met the reader; when a run has ended the worker is back.
            self.follow(self.submit(f"probe-{task.split('[')[0]}-{attempt}-{again}", PROBE))
        demand(result.returncode == 0, f"baton {arguments}: {result.stderr}")
        return result.stdout
