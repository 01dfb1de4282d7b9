"""A sandbox for the real programs: its own state, socket and home; nothing of it survives the test.

Tests never sleep: they wait on exit codes, end of file, named pipes and on `baton wait`. What hangs is ended by an alarm.
"""
import http.client
import json
import os
import pathlib
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import unittest
import uuid

BIN = pathlib.Path(os.environ.get("BATON_BIN_DIR", "build/dev/bin")).resolve()
SOURCE = pathlib.Path(__file__).resolve().parents[2]
SECONDS = int(os.environ.get("BATON_TEST_SECONDS", "60"))  # for one test
MARKER = "BATON_TEST_SANDBOX"


class Daemon:
    """A batond that was started and is ready."""

    def __init__(self, process):
        self.process = process
        self.pid = process.pid

    def kill(self):
        """As a crash: nothing is said, nothing is tidied up."""
        self.process.kill()
        self.process.wait()

    def stop(self):
        self.process.terminate()
        return self.process.wait()


class Sandbox:
    def __init__(self):
        self.mark = uuid.uuid4().hex
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="baton-"))
        self.state = self.root / "state"
        self.work = self.root / "work"
        self.work.mkdir()
        self.daemons = []
        self.env = {
            "PATH": f"{BIN}:/usr/local/bin:/usr/bin:/bin",
            "HOME": str(self.root),
            "BATON_STATE_DIR": str(self.state),
            "BATON_CONFIG": str(self.root / "config.yaml"),
            "BATON_NO_START": "1",
            "LC_ALL": "C.UTF-8",
            MARKER: self.mark,
        }
        self.env |= {name: os.environ[name] for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS") if name in os.environ}
        self.configure("")

    # --- files ---

    def configure(self, text):
        # However many cores there are: what a test lets run side by side must have room.
        worker = "" if "workers:" in text else "workers: [{name: local, cpu: 8}]\n"
        (self.root / "config.yaml").write_text(text + worker)

    def write(self, name, text):
        path = self.work / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def fifo(self, name):
        """A named pipe: a task that opens it for reading waits until the test opens it for writing, and vice versa."""
        path = self.work / name
        os.mkfifo(path)
        return path

    # --- programs ---

    def spawn(self, *args, under=(), **options):
        """Any program of the build, in the sandbox; `under`: a command that starts it."""
        return subprocess.Popen([*under, str(BIN / args[0]), *map(str, args[1:])], cwd=self.work, env=self.env,
                                **{"stdin": subprocess.DEVNULL} | options)

    def start(self, *args, stderr=None, under=()):
        """Starts batond and waits until it is ready; a failed start raises with what it said."""
        reader, writer = os.pipe()
        with open(self.root / "batond.log", "ab") as log:
            process = self.spawn("batond", "--ready-fd", writer, *args, under=under, pass_fds=[writer], stdout=log, stderr=stderr or log)
        os.close(writer)
        with os.fdopen(reader) as pipe:
            said = pipe.readline()  # not to its end: who traces the daemon holds it open
        if said != "ready\n":
            process.wait()
            raise StartFailed(said, process.returncode)
        self.daemons.append(Daemon(process))
        return self.daemons[-1]

    def baton(self, *args, check=None):
        """Runs the CLI to its end. `check`: the exit code it must have."""
        process = self.spawn("baton", *args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        out, err = process.communicate()
        if check is not None and process.returncode != check:
            raise AssertionError(f"baton {' '.join(map(str, args))}: exit code {process.returncode}, not {check}\n{out}\n{err}\n"
                                 f"{self.log()}")
        return subprocess.CompletedProcess(args, process.returncode, out, err)

    def submit(self, path, *args):
        return self.baton("submit", path, *args, check=0).stdout.strip()

    def wait(self, run, check=0):
        return self.baton("wait", run, check=check)

    def describe(self, run):
        return json.loads(self.baton("describe", run, "-o", "json", check=0).stdout)

    def states(self, run):
        """Instance name → state."""
        return {task["name"]: task["state"] for task in self.describe(run)["tasks"]}

    def logs(self, run, *args):
        return self.baton("logs", run, *args, check=0).stdout

    def await_event(self, run, name, state, *options):
        """Until the daemon has recorded that the task instance is in this state, or was."""
        follow = self.spawn("baton", *options, "events", "-f", run, "-o", "json", stdout=subprocess.PIPE, text=True)
        try:
            for line in follow.stdout:
                event = json.loads(line)
                if event["name"] == name and event["state"] == state:
                    return
        finally:
            follow.kill()
            follow.wait()
            follow.stdout.close()
        raise AssertionError(f"{name} is never {state}")

    def api(self, method, path, body=None, headers=None):
        """One request without the CLI: status and JSON."""
        connection = UnixConnection(str(self.state / "baton.sock"))
        try:
            connection.request(method, path, None if body is None else json.dumps(body),
                               {"Content-Type": "application/json"} | (headers or {}))
            response = connection.getresponse()
            return response.status, json.loads(response.read() or "null")
        finally:
            connection.close()

    def log(self):
        """The daemon's own log, for messages."""
        path = self.root / "batond.log"
        return path.read_text(errors="replace") if path.exists() else ""

    # --- the end ---

    def processes(self, task=False):
        """Every process that came out of this sandbox, or out of its tasks: the environment is inherited."""
        found = []
        needle = f"{MARKER}={self.mark}".encode()
        key = b"BATON_IDEMPOTENCY_KEY="
        for entry in os.listdir("/proc"):
            if not entry.isdigit() or int(entry) == os.getpid():
                continue
            try:
                with open(f"/proc/{entry}/environ", "rb") as environ:
                    variables = environ.read().split(b"\0")
                if needle in variables and (not task or any(variable.startswith(key) for variable in variables)):
                    found.append(int(entry))
            except OSError:
                pass  # it has ended, or is a zombie
        return found

    def kill_all(self):
        while pids := self.processes():
            for pid in pids:
                try:
                    fd = os.pidfd_open(pid)
                except OSError:
                    continue
                try:
                    signal.pidfd_send_signal(fd, signal.SIGKILL)
                    select.select([fd], [], [], 10)
                except OSError:
                    pass
                finally:
                    os.close(fd)
        for daemon in self.daemons:
            daemon.process.wait()

    def close(self):
        self.kill_all()
        shutil.rmtree(self.root, ignore_errors=True)


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("baton")
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


class TooLong(Exception):
    """The alarm. Not a TimeoutError, which is an OSError and taken for a daemon that is gone."""


class StartFailed(Exception):
    def __init__(self, said, code):
        super().__init__(f"batond did not start (exit code {code}): {said}")
        self.said = said
        self.code = code


class TestCase(unittest.TestCase):
    """A test with a sandbox of its own and a time limit."""

    seconds = SECONDS

    def setUp(self):
        signal.signal(signal.SIGALRM, self._too_long)
        signal.alarm(self.seconds)
        self.addCleanup(signal.alarm, 0)
        self.box = Sandbox()
        self.addCleanup(self.box.close)
        self.addCleanup(self._no_crash)

    def _no_crash(self):
        """A daemon that has died of itself fails the test, also where nothing was asked of it any more."""
        died = [-code for daemon in self.box.daemons if (code := daemon.process.poll()) is not None and code < 0]
        self.assertLessEqual(set(died), {signal.SIGKILL, signal.SIGTERM}, self.box.log())

    def _too_long(self, *_):
        raise TooLong(f"took longer than {self.seconds} s; the daemon's log:\n{self.box.log()}")


def main():
    """Exits with 1 if anything failed, and with 77, which ctest shows, if something could not be tested here."""
    result = unittest.main(module="__main__", exit=False, verbosity=2).result
    sys.exit(1 if not result.wasSuccessful() or result.testsRun == 0 else 77 if result.skipped else 0)
