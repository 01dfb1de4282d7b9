#!/usr/bin/env python3
"""recovery-1000: a daemon is killed while tasks run; how long until the next one knows all of them again.

usage: BATON_BIN_DIR=build/release/bin recovery.py [--tasks 1000] [--runs 5]

The clock starts with the new batond's start and stops when its worker's welcome, with every attempt in it, is through the
engine: `baton describe` counts all tasks as running and the worker is online. Prints median, minimum and maximum.
"""
import argparse
import pathlib
import statistics
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
import harness  # noqa: E402


def known(box, run, tasks):
    """Whether everything runs and the worker is in touch: an attempt whose worker is not is `starting` or `unreachable`."""
    (worker,) = box.api("GET", "/v1/workers")[1]["items"]
    (task,) = box.api("GET", f"/v1/runs/{run}")[1]["summary"]
    return worker["state"] == "online" and task["states"].get("running", 0) == tasks


def wait_until(truth):
    while not truth():
        pass  # each look is a round trip


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    box = harness.Sandbox()
    try:
        box.configure(f"workers: [{{name: local, cpu: {options.tasks}}}]\n")
        values = ", ".join(map(str, range(options.tasks)))
        path = box.write("many.yaml", f"tasks: {{t: {{command: [sleep, '3600'], matrix: {{i: [{values}]}}}}}}\n")
        daemon = box.start()
        run = box.submit(path)
        wait_until(lambda: known(box, run, options.tasks))
        serve, all_known = [], []
        for _ in range(options.runs):
            daemon.kill()
            begin = time.monotonic()
            daemon = box.start()
            serve.append(time.monotonic() - begin)
            wait_until(lambda: known(box, run, options.tasks))
            all_known.append(time.monotonic() - begin)
        for what, times in (("serves", serve), (f"knows all {options.tasks} running tasks", all_known)):
            print(f"{what}: {statistics.median(times):.3f} s ({min(times):.3f} to {max(times):.3f}), {options.runs} crashes")
    finally:
        box.close()


if __name__ == "__main__":
    sys.exit(main())
