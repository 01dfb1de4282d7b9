"""The configuration, read anew while tasks run."""
import json
import signal

import harness

HELD = """\
tasks:
  held: {{pool: db, run: 'echo started > "{work}/started"; read line < "{work}/go"'}}
  next: {{pool: db, run: 'echo started > "{work}/next"'}}
"""


class Reload(harness.TestCase):
    def begin(self):
        self.daemon = self.box.start()
        for name in ("started", "go", "next"):
            self.box.fifo(name)
        run = self.box.submit(self.box.write("held.yaml", HELD.format(work=self.box.work)))
        (self.box.work / "started").read_text()
        self.assertEqual(self.box.states(run)["next"], "ready")
        return run

    def end(self, run):
        (self.box.work / "next").read_text()  # beside the one that still runs
        (self.box.work / "go").write_text("\n")
        self.box.wait(run)
        self.assertIsNone(self.daemon.process.poll())

    def test_by_command(self):
        run = self.begin()
        self.box.configure("pools: {db: 2}\nlog: {format: json}\n")
        result = self.box.baton("daemon", "reload", check=0)
        self.assertEqual(result.stdout, "reloaded\n")
        self.assertIn("log.format changed: that takes effect with the next start", result.stderr)
        self.end(run)
        self.assertEqual(json.loads(self.box.baton("daemon", "reload", "-o", "json", check=0).stdout),
                         {"notices": ["log.format changed: that takes effect with the next start"]})

    def test_by_signal(self):
        run = self.begin()
        self.box.configure("pools: {db: 2}\n")
        self.daemon.process.send_signal(signal.SIGHUP)
        self.end(run)

    def test_what_is_wrong_is_said_and_changes_nothing(self):
        self.box.configure("pools: {db: 2}\n")
        self.daemon = self.box.start()
        self.box.configure("pools: {db: 0}\npols: {}\n")
        result = self.box.baton("daemon", "reload", check=2)
        self.assertRegex(result.stderr, r"\Abaton: [^\n]*:2:1: unknown key `pols`")
        for name in ("started", "go", "next"):
            self.box.fifo(name)
        run = self.box.submit(self.box.write("held.yaml", HELD.format(work=self.box.work)))
        (self.box.work / "started").read_text()
        self.end(run)

    def test_without_a_daemon_it_is_refused(self):
        self.box.baton("daemon", "reload", check=4)


if __name__ == "__main__":
    harness.main()
