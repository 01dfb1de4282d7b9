#!/usr/bin/env python3
"""restart-1m: how long batond takes to serve, and what it holds in memory, with many finished tasks in its database.

usage: BATON_BIN_DIR=build/release/bin restart.py [--tasks 1000000] [--runs 5]

The rows are made by bench_store, through the store library's own writer. An empty database is measured beside it.
"""
import argparse
import pathlib
import re
import statistics
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
import harness  # noqa: E402

BENCH = harness.BIN.parent / "tests" / "bench" / "bench_store"


def resident_mib(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())[1]) / 1024


def measure(tasks, runs):
    box = harness.Sandbox()
    try:
        box.state.mkdir(mode=0o700)
        if tasks:
            subprocess.run([BENCH, str(tasks), "500", box.state / "baton.db"], check=True)
        box.start().stop()
        times, memory = [], []
        for _ in range(runs):
            begin = time.monotonic()
            daemon = box.start()
            times.append(time.monotonic() - begin)
            box.baton("ls", check=0)
            memory.append(resident_mib(daemon.pid))
            daemon.kill()
        print(f"{tasks:>9} finished tasks: serves in {statistics.median(times):.3f} s ({min(times):.3f} to {max(times):.3f}), "
              f"{statistics.median(memory):.1f} MiB resident, database {(box.state / 'baton.db').stat().st_size / 2**20:.0f} MiB")
    finally:
        box.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    for tasks in (0, options.tasks):
        measure(tasks, options.runs)


if __name__ == "__main__":
    sys.exit(main())
