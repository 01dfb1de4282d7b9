#!/usr/bin/env python3
"""kill -9 of every subset of {batond, attach, supervisor, session} at random moments of a run, over and over.

usage: BATON_BIN_DIR=build/release/bin random_kills.py [--runs 300] [--first-seed 1] [--jobs 2]

A seed says after which event of the run which processes are killed, one to three times in a run, all of a subset at
once. Then everything that scenario.py knows must be true: the runs end, no attempt started twice, exit codes, logs and
outputs are right, and no process of a task is left. Fails, too, if one of the programs was hardly ever there to be killed.
"""
import argparse
import collections
import concurrent.futures
import itertools
import os
import pathlib
import random
import signal
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import harness  # noqa: E402
from crash import scenario  # noqa: E402

ROLES = ("batond", "attach", "supervise", "session")
SUBSETS = [set(subset) for size in range(1, 5) for subset in itertools.combinations(ROLES, size)]
EVENTS = 30  # about as many as the runs have
SECONDS = 60
LEAST_SHARE = 0.5  # of the times that a program was to be killed, how often it was there


def role_of(pid):
    try:
        arguments = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return ""
    name = os.path.basename(arguments[0]).decode()
    return arguments[1].decode() if name == "baton-worker" and len(arguments) > 1 else name


class Killer(scenario.Scenario):
    """A scenario that kills when it has seen so many events."""

    def __init__(self, box, seed):
        super().__init__(box, box.start)
        dice = random.Random(seed)
        # Each subset comes up in turn, so that a few runs try all of them.
        subsets = [SUBSETS[seed % len(SUBSETS)]] + dice.choices(SUBSETS, k=dice.randrange(3))
        self.kills = sorted(((dice.randrange(EVENTS), subset) for subset in subsets), key=lambda kill: kill[0])
        self.seen = 0
        self.done = []
        self.ever = []  # killed so far
        self.meant, self.hit = collections.Counter(), collections.Counter()

    def follow(self, run, enough=lambda event: False):
        def watch(event):
            self.seen += 1
            while self.kills and self.kills[0][0] <= self.seen:
                self.kill(self.kills.pop(0)[1])
            return enough(event)
        super().follow(run, watch)

    def kill(self, roles):
        hit = set()
        pids = [(pid, role_of(pid)) for pid in self.box.processes()]
        for pid, role in pids:
            if role in roles:
                try:
                    os.kill(pid, signal.SIGKILL)
                    hit.add(role)
                except ProcessLookupError:
                    pass  # went with another one
        self.done.append((self.seen, "+".join(sorted(hit)) or "none was there"))
        self.meant.update(roles)
        self.hit.update(hit)
        self.ever += sorted(roles)
        # A session ends with its attach and with its daemon, and leaves its tasks to the supervisor: whoever else was
        # killed, the supervisor may have been the only one to see an end.
        self.may_lose = "supervise" in self.ever and len(self.ever) > 1


def run_seed(seed):
    """(seed, kills, how often each program was to be killed and was, states, problem)"""
    def ring(*_):
        raise harness.TooLong(f"not at its end after {SECONDS} s")
    signal.signal(signal.SIGALRM, ring)
    signal.alarm(SECONDS)
    box = harness.Sandbox()
    try:
        box.configure("workers: [{name: local, cpu: 8}]\n")
        play = Killer(box, seed)
        states, problem = {}, None
        try:
            play.play()
            states = play.check()
        except (scenario.Broken, AssertionError, KeyError, harness.TooLong) as broken:
            problem = f"{type(broken).__name__}: {broken}\nkilled: {play.done}\n{box.log()}"
        return seed, play.done, play.meant, play.hit, states, problem
    finally:
        signal.alarm(0)
        box.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    if pathlib.Path("/dev/shm").is_dir():
        tempfile.tempdir = "/dev/shm"  # nothing here is about power loss
    begin = time.monotonic()
    kills, states, problems = collections.Counter(), collections.Counter(), 0
    meant, hit = collections.Counter(), collections.Counter()
    with concurrent.futures.ProcessPoolExecutor(options.jobs) as pool:
        for seed, done, aimed, struck, found, problem in pool.map(run_seed, range(options.first_seed, options.first_seed + options.runs)):
            kills.update(subset for _, subset in done)
            states.update(found)
            meant.update(aimed)
            hit.update(struck)
            if problem:
                problems += 1
                print(f"VIOLATED, seed {seed}: {problem}", file=sys.stderr, flush=True)
    for subset, count in sorted(kills.items()):
        print(f"{subset:<40}{count:>6}")
    print("states of attempts found: " + ", ".join(f"{state} {count}" for state, count in sorted(states.items())))
    total = sum(count for subset, count in kills.items() if subset != "none was there")
    print(f"violations: {problems}; {options.runs} runs, {total} kills in {time.monotonic() - begin:.0f} s")
    for role in ROLES:
        print(f"{role} was killed {hit[role]} times of {meant[role]}")
        if hit[role] < LEAST_SHARE * meant[role] or (meant[role] == 0 and options.runs >= len(SUBSETS)):
            problems += 1
            print(f"VIOLATED: {role} is hardly ever there to be killed", file=sys.stderr)
    return 1 if problems or total == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
