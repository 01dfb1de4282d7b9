#!/usr/bin/env python3
"""noop-10k: N independent /bin/true through the daemon, beside xargs -P and ninja -j on the same machine in turn.

usage: noop.py --bin-dir build/release/bin [--tasks 10000] [--runs 5] [--jobs 2]

Prints the median (min, max) of each, the ratios run by run, and where ours spends its CPU time: user+system seconds of
batond and of the worker's processes, from /proc, and what their reaped children took. The daemon runs before the clock
starts; one run is thrown away as a warm-up.
"""
import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

TICKS = os.sysconf("SC_CLK_TCK")


def stat_fields(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        return file.read().rsplit(")", 1)[1].split()


def cpu_seconds(pid):
    """(own, reaped children's) user+system seconds."""
    fields = stat_fields(pid)
    return (int(fields[11]) + int(fields[12])) / TICKS, (int(fields[13]) + int(fields[14])) / TICKS


def resident_mib(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        return int(re.search(r"VmRSS:\s+(\d+)", file.read()).group(1)) / 1024


def descendants(root):
    """Processes of this state directory's worker: they carry its path in their arguments."""
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                arguments = file.read().split(b"\0")
        except OSError:
            continue
        if any(root.encode() in argument for argument in arguments):
            name = os.path.basename(arguments[0].decode())
            found[int(pid)] = name + " " + (arguments[1].decode() if name == "baton-worker" else "")
    return found


class Baton:
    def __init__(self, bin_dir, folder, tasks, jobs):
        self.bin = os.path.abspath(bin_dir)
        self.state = os.path.join(folder, "state")
        config = os.path.join(folder, "config.yaml")
        with open(config, "w", encoding="utf-8") as file:
            file.write(f"workers: [{{name: local, cpu: {jobs}}}]\n")
        self.workflow = os.path.join(folder, "noop.yaml")
        with open(self.workflow, "w", encoding="utf-8") as file:
            values = ", ".join(map(str, range(tasks)))
            file.write(f"tasks: {{noop: {{command: [/bin/true], matrix: {{i: [{values}]}}}}}}\n")
        self.env = dict(os.environ, BATON_STATE_DIR=self.state, BATON_SOCKET=os.path.join(folder, "sock"), BATON_CONFIG=config)
        self.cli("daemon", "start")

    def cli(self, *arguments):
        return subprocess.run([os.path.join(self.bin, "baton"), *arguments], env=self.env, check=True,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def run(self):
        self.cli("run", "-q", self.workflow)

    def cpu(self):
        usage = {}
        for pid, name in descendants(self.state).items():
            try:
                own, children = cpu_seconds(pid)
            except OSError:
                continue
            before = usage.get(name, (0, 0))
            usage[name] = (before[0] + own, before[1] + children)
        return usage

    def memory(self):
        return {name: resident_mib(pid) for pid, name in descendants(self.state).items()}

    def stop(self):
        self.cli("daemon", "stop")
        for pid in descendants(self.state):
            os.kill(pid, 15)


def make_ninja(folder, tasks):
    with open(os.path.join(folder, "build.ninja"), "w", encoding="utf-8") as file:
        file.write("rule t\n  command = /bin/true\n")
        for i in range(tasks):
            file.write(f"build o{i}: t\n")
        file.write("build all: phony " + " ".join(f"o{i}" for i in range(tasks)) + "\n")


def timed(function):
    begin = time.monotonic()
    function()
    return time.monotonic() - begin


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin-dir", required=True)
    parser.add_argument("--tasks", type=int, default=10000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    folder = tempfile.mkdtemp(prefix="baton-bench-")
    baton = Baton(options.bin_dir, folder, options.tasks, options.jobs)
    try:
        make_ninja(folder, options.tasks)
        numbers = "\n".join(map(str, range(options.tasks)))

        def xargs():
            subprocess.run(["xargs", f"-P{options.jobs}", "-n1", "/bin/true"], input=numbers, text=True, check=True, **quiet)

        def ninja():
            subprocess.run(["ninja", f"-j{options.jobs}", "all"], cwd=folder, check=True, **quiet)

        rivals = {"baton": baton.run, "xargs": xargs}
        if shutil.which("ninja"):
            rivals["ninja"] = ninja
        for function in rivals.values():
            function()
        before = baton.cpu()
        times = {name: [] for name in rivals}
        for _ in range(options.runs):
            for name, function in rivals.items():
                times[name].append(timed(function))
        after = baton.cpu()
        report(options, times, before, after, baton.memory())
    finally:
        baton.stop()
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def report(options, times, before, after, memory):
    print(f"{options.tasks} x /bin/true, {options.jobs} at a time, {options.runs} runs in turn after a warm-up")
    for name, values in times.items():
        per_task = statistics.median(values) / options.tasks * 1e3
        print(f"  {name:6} {statistics.median(values):7.3f} s  ({min(values):.3f} to {max(values):.3f})  {per_task:.3f} ms a task")
    for rival in times:
        if rival == "baton":
            continue
        ratios = [theirs / ours for ours, theirs in zip(times["baton"], times[rival])]
        print(f"  throughput against {rival}: {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")
    total = options.tasks * options.runs
    print("  CPU time in microseconds a task (own; reaped children):")
    for name, (own, children) in sorted(after.items()):
        own_before, children_before = before.get(name, (0, 0))
        print(f"    {name:24} {(own - own_before) / total * 1e6:7.1f}; {(children - children_before) / total * 1e6:7.1f}")
    print("  resident memory in MiB: " + ", ".join(f"{name} {mib:.1f}" for name, mib in sorted(memory.items())))


if __name__ == "__main__":
    sys.exit(main())
