#!/usr/bin/env python3
"""Power loss: what was acknowledged is there, the same key gives the same run, and nothing starts twice.

usage (as root): BATON_BIN_DIR=build/release/bin power_loss.py [--runs 200]

The state directory is on an xfs in a loop image. Runs are submitted one after the other, each id is noted as it is
answered; in the middle `xfs_io -x -c shutdown` cuts the file system off without writing its log, as power loss does. That it
was one is checked: from then on every write fails, and a file that was not synced is gone. All processes are killed, the
image is mounted again and batond started in a mount namespace in which /proc/sys/kernel/random/boot_id is another, as after
a reboot. All this is in a mount namespace of its own: a copy of the mount in somebody else's would keep the file system
from ending. Skips (77) where that is not to be had.
"""
import argparse
import concurrent.futures
import errno
import os
import pathlib
import subprocess
import sys
import uuid

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import harness  # noqa: E402
from crash import scenario  # noqa: E402

ALONE = "BATON_POWER_LOSS_ALONE"  # set: this is the process in the mount namespace
TEXT = "tasks: {{t: {{run: 'echo \"$BATON_IDEMPOTENCY_KEY\" >> {work}/witness'}}}}\n"


def tool(*arguments):
    return subprocess.run(arguments, check=True, capture_output=True, text=True).stdout.strip()


def mount(box, image):
    box.state.mkdir(exist_ok=True)
    try:
        tool("mount", "-o", "loop", image, box.state)
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"skipped: no loop image can be mounted: {getattr(error, 'stderr', error)}")
        sys.exit(77)


def cut_power(box):
    (box.state / "unsynced").write_text("x" * 4096)
    tool("xfs_io", "-x", "-c", "shutdown", str(box.state))


def request(box):
    return {"entry": "t.yaml", "files": {"t.yaml": TEXT.format(work=box.work)}, "working_dir": str(box.work)}


def submit_until_cut(box, count, acknowledged):
    body = request(box)
    cut = None
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        for number in range(100_000):
            try:
                status, run = box.api("POST", "/v1/runs", body, {"Idempotency-Key": f"key-{number}"})
            except scenario.GONE:
                break
            if status >= 300:
                break
            acknowledged[f"key-{number}"] = run["id"]
            if number == count:  # the rest races with the cut
                cut = pool.submit(cut_power, box)
    scenario.demand(cut is not None, f"batond ended before the power was cut, after {len(acknowledged)} runs")
    cut.result()


def check_is_cut(box):
    try:
        (box.state / "after").write_text("x")
    except OSError as error:
        scenario.demand(error.errno == errno.EIO, f"a write after the cut: {error}")
    else:
        raise scenario.Broken("the power was not cut: a file can still be made")


def check_was_cut(box):
    path = box.state / "unsynced"
    scenario.demand(not path.exists() or path.stat().st_size == 0, "the power was not cut: what was not synced is there")


def start_after_reboot(box):
    boot = box.root / "boot_id"
    boot.write_text(f"{uuid.uuid4()}\n")
    script = f'mount --bind "{boot}" /proc/sys/kernel/random/boot_id && exec "$@"'
    return box.start(under=("unshare", "-m", "sh", "-c", script, "sh"))


def check(box, acknowledged):
    play = scenario.Scenario(box, lambda: start_after_reboot(box))
    play.up()
    for key, run in acknowledged.items():
        status, found = play.ask("POST", "/v1/runs", request(box), {"Idempotency-Key": key})
        scenario.demand(status == 201 and found["id"] == run, f"{key}: {run} was acknowledged and is lost: {found}")
    lost = 0
    for run in acknowledged.values():
        play.follow(run)
        for attempt in play.tasks(run)[0]["attempts"]:
            lost += attempt.get("class") == "worker_lost"
            scenario.demand(attempt["state"] == "succeeded" or attempt.get("class") == "worker_lost", f"{run}: {attempt}")
    keys = (box.work / "witness").read_text().splitlines()
    scenario.demand(len(keys) == len(set(keys)), "an attempt was started twice")
    return lost


def unmount(box):
    """A process that has just been killed may hold its files a moment longer than it can be seen; each try takes a while."""
    for _ in range(200):
        done = subprocess.run(["umount", box.state], capture_output=True, text=True)
        if done.returncode == 0 or "busy" not in done.stderr:
            break
    done.check_returncode()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=200)
    options = parser.parse_args()
    if os.geteuid() != 0:
        print("skipped: only root can mount")
        return 77
    if ALONE not in os.environ:
        os.environ[ALONE] = "1"
        try:
            tool("unshare", "-m", "true")
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"skipped: no mount namespace: {getattr(error, 'stderr', error)}")
            return 77
        os.execvp("unshare", ["unshare", "-m", sys.executable, "-B", *sys.argv])
    box = harness.Sandbox()
    image = str(box.root / "image")
    try:
        tool("truncate", "-s", "320M", image)
        try:
            tool("mkfs.xfs", "-q", image)
        except FileNotFoundError as error:
            print(f"skipped: {error}")
            return 77
        mount(box, image)
        box.start()
        acknowledged = {}
        submit_until_cut(box, options.runs, acknowledged)
        check_is_cut(box)
        box.kill_all()
        unmount(box)
        mount(box, image)
        check_was_cut(box)
        lost = check(box, acknowledged)
        print(f"{len(acknowledged)} acknowledged, {len(acknowledged)} recovered; {lost} attempts worker_lost, none twice")
        return 0
    except scenario.Broken as broken:
        print(f"VIOLATED {broken}\n{box.log()}")
        return 1
    finally:
        box.kill_all()
        subprocess.run(["umount", "-l", str(box.state)], check=False, capture_output=True)
        box.close()


if __name__ == "__main__":
    sys.exit(main())
