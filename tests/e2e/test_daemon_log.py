"""The log of a daemon that the CLI has started: it is put aside when it has become too long, and shown as if it were one."""
import os
import re
import subprocess

import harness

LIMIT = 8 << 20
LINE = b"2026-01-01T00:00:00.000Z info an old line %07d\n"


class DaemonLog(harness.TestCase):
    def start(self, room):
        """A daemon whose log has this much room left; its last old line."""
        self.box.state.mkdir(mode=0o700)
        count, rest = divmod(LIMIT - room, len(LINE % 0))
        (self.box.state / "batond.log").write_bytes(b"".join(LINE % i for i in range(count)))
        self.box.baton("daemon", "start", check=0)
        return (LINE % (count - 1)).decode()

    def pid(self):
        return int(re.search(r"pid (\d+)", self.box.baton("daemon", "status", check=0).stdout)[1])

    def test_a_long_log_is_put_aside(self):
        last = self.start(room=100)
        older, log = self.box.state / "batond.1.log", self.box.state / "batond.log"
        self.assertTrue(older.read_text().endswith(last))
        self.assertIn(" serves ", log.read_text())
        # What a crash says is in it too.
        self.assertTrue(os.path.samefile(f"/proc/{self.pid()}/fd/2", log))
        self.box.baton("daemon", "stop", check=0)  # nothing is added any more
        new = log.read_text().count("\n")
        shown = self.box.baton("daemon", "logs", "--tail", new + 1, check=0).stdout
        self.assertEqual(shown, last + log.read_text())
        self.assertEqual(self.box.baton("daemon", "logs", "--tail", "1", check=0).stdout, log.read_text().splitlines(True)[-1])

    def test_who_follows_it_sees_every_line(self):
        self.start(room=2000)
        follow = self.box.spawn("baton", "daemon", "logs", "-f", "--tail", "1", stdout=subprocess.PIPE, text=True)
        self.addCleanup(follow.stdout.close)
        self.addCleanup(follow.wait)
        self.addCleanup(follow.kill)
        follow.stdout.readline()  # so it follows
        after = 0
        while after < 5:
            after += (self.box.state / "batond.1.log").exists()
            self.box.baton("daemon", "reload", check=0)
            while "configuration reloaded" not in follow.stdout.readline():
                pass


if __name__ == "__main__":
    harness.main()
