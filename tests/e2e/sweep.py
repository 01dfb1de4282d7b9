#!/usr/bin/env python3
"""The kill sweep: kill -9 at every (system call, k) of batond, attach, the supervisor and the session.

usage: BATON_BIN_DIR=build/release/bin sweep.py [--slice] [--role ROLE]... [--call NAME]... [--jobs 2]

A recording run under strace says which system calls each program makes. Then, for each call S and k = 1, 2, …, the program
runs under `strace -e inject=S:signal=SIGKILL:when=k` from its first instruction, in a sandbox of its own, while two runs go
on (crash/scenario.py); it is started again, both runs must end, and everything is checked. k grows until two points in a row
were not reached. `child` is the session with the tasks' processes between clone and exec. strace counts a call for each
thread by itself, so `loop` is the daemon's main thread alone and `batond` whichever of its threads gets to k first.

--slice takes one point in the middle of each program and call, `loop` left out (its calls are among batond's): for ctest.
Prints a table; exits with 1 if a promise was broken or one of the programs was hardly killed, and with 77 if processes cannot
be traced here.
"""
import argparse
import collections
import concurrent.futures
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import harness  # noqa: E402
from crash import scenario  # noqa: E402

TRACED = harness.BIN.parent / "tests" / "e2e" / "traced_worker"
# Role → (file that says how it starts, whether strace follows threads and children until their exec)
ROLES = {"loop": ("batond", False), "batond": ("batond", True), "attach": ("attach", False),
         "supervisor": ("supervise", False), "session": ("session", False), "child": ("session", True)}
POINT_SECONDS = 30
NEVER_KILLED = {"exit_group", "exit"}  # it ends there anyway
# Of each program's calls, how many at least must have killed it once: the others are made in some runs only. A program that
# is never killed is not swept, however much the others are.
LEAST_SHARE = 0.8
# Made only by the process that becomes attach: killed at one of these, none ever comes up, and the daemon is untouched.
SPAWN_CALLS = {"dup2", "setsid", "rt_sigaction", "rt_sigprocmask", "execve"}
CHILD_CALLS = ("setsid", "dup2", "rt_sigprocmask", "chdir", "getpid")


def strace(role, *options, output):
    follow = ["-f", "-b", "execve"] if ROLES[role][1] else []
    return ["strace", "-D", "-q", *follow, "-o", str(output), *options]


def run_point(role, call, when):
    """(role, call, when, killed, states, problem)"""
    box = harness.Sandbox()
    try:
        box.configure("workers: [{name: local, cpu: 8}]\n")
        box.env["BATON_SWEEP_DIR"] = str(box.root)
        notes = box.root / "strace"
        options = [] if call is None else ["-e", f"trace={call}", "-e", f"inject={call}:signal=SIGKILL:when={when}"]
        command = strace(role, *options, output=notes)
        if ROLES[role][0] != "batond":
            (box.root / ROLES[role][0]).write_text("\n".join(command) + "\n")
        play = scenario.Scenario(box, lambda: start(box, role, command))
        problem, states = None, {}
        try:
            play.play()
            if ROLES[role][0] == "batond" and play.starts == 1:
                play.daemon.stop()
            states = play.check()
        except (scenario.Broken, AssertionError, KeyError, harness.TooLong) as broken:
            problem = f"{type(broken).__name__}: {broken}\n{box.log()}"
        if call is None:
            return read_calls(notes), problem
        killed = notes.exists() and "killed by SIGKILL" in notes.read_text(errors="replace")
        return role, call, when, killed, states, problem
    finally:
        box.close()


def start(box, role, command):
    worker = ("--worker-program", TRACED)
    if ROLES[role][0] != "batond":
        return box.start(*worker)
    return box.start(*worker, under=command)


def read_calls(notes):
    """System call → how often the thread that makes it most makes it."""
    counts = collections.Counter()
    for line in notes.read_text(errors="replace").splitlines():
        call = re.match(r"(?:(\d+)\s+)?(\w+)\(", line)
        if call:
            counts[call.groups()] += 1
    calls = collections.Counter()
    for (_, call), count in counts.items():
        calls[call] = max(calls[call], count)
    return calls


class Alarm:
    """What hangs in a worker process of the sweep is a finding."""

    def __enter__(self):
        def ring(*_):
            raise harness.TooLong(f"not at its end after {POINT_SECONDS} s")
        signal.signal(signal.SIGALRM, ring)
        signal.alarm(POINT_SECONDS)

    def __exit__(self, *_):
        signal.alarm(0)


def point(arguments):
    with Alarm():
        return run_point(*arguments)


def sweep_call(arguments):
    """Every k of one call, or those that are asked for."""
    role, call, whens = arguments
    results, missed, when = [], 0, 0
    for when in whens or iter(range(1, 100_000)):
        result = point((role, call, when))
        results.append(result)
        missed = 0 if result[3] else missed + 1
        if missed == 2 and not whens:
            break
    return results


def plan(roles, only, is_slice):
    for role in roles:
        calls, problem = point((role, None, 0))
        if problem or not calls:
            sys.exit(f"the recording run of {role} went wrong: {problem or 'no calls'}")
        names = [call for call in CHILD_CALLS if call in calls] if role == "child" else sorted(set(calls) - NEVER_KILLED)
        if role == "batond":
            names = [call for call in names if call not in SPAWN_CALLS]
        for call in names:
            if only and call not in only:
                continue
            yield role, call, [max(1, calls[call] // 2)] if is_slice else None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--slice", action="store_true")
    parser.add_argument("--role", action="append", choices=ROLES)
    parser.add_argument("--call", action="append")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    if shutil.which("strace") is None or subprocess.run(["strace", "-o", "/dev/null", "true"], check=False).returncode != 0:
        print("skipped: processes cannot be traced here (no strace, or no permission)")
        return 77
    if pathlib.Path("/dev/shm").is_dir():
        tempfile.tempdir = "/dev/shm"  # nothing here is about power loss
    begin = time.monotonic()
    rows = collections.defaultdict(lambda: {"calls": set(), "hit": set(), "tried": 0, "killed": 0, "states": collections.Counter()})
    problems = []
    with concurrent.futures.ProcessPoolExecutor(options.jobs) as pool:
        work = list(plan(options.role or [role for role in ROLES if role != "loop" or not options.slice], options.call, options.slice))
        tasks = [pool.submit(sweep_call, one) for one in work]
        for done in concurrent.futures.as_completed(tasks):
            results = done.result()
            for result in results:
                if result[5]:
                    print(f"{result[0]}, {result[1]}, k={result[2]}: {result[5]}", file=sys.stderr, flush=True)
            for role, call, when, killed, states, problem in results:
                row = rows[role]
                row["calls"].add(call)
                row["tried"] += 1
                row["killed"] += killed
                row["hit"] |= {call} if killed else set()
                row["states"].update(states)
                if problem:
                    problems.append(f"{role}, {call}, k={when}: {problem}")
    print(f"{'program':<11}{'calls':>6}{'points':>8}{'killed':>8}  states of attempts found")
    for role, row in rows.items():
        states = ", ".join(f"{state} {count}" for state, count in sorted(row["states"].items()))
        print(f"{role:<11}{len(row['calls']):>6}{row['tried']:>8}{row['killed']:>8}  {states}")
    total = sum(row["killed"] for row in rows.values())
    for role in sorted({role for role, _, _ in work}):
        row = rows[role]
        if len(row["hit"]) < LEAST_SHARE * len(row["calls"]):
            problems.append(f"{role} was killed at {len(row['hit'])} of {len(row['calls'])} calls only, not at "
                            f"{', '.join(sorted(row['calls'] - row['hit']))}")
    print(f"violations: {len(problems)}; {total} kills in {time.monotonic() - begin:.0f} s")
    for problem in problems:
        print("\nVIOLATED " + problem)
    return 1 if problems or total == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
