"""Runs every example and holds it to the comments it begins with: `# expect: STATE` and `# log: TASK: text`."""
import re
import subprocess
import unittest

import harness

EXAMPLES = harness.SOURCE / "examples"
EXIT_CODES = {"succeeded": 0, "failed": 1}


def expectations(path):
    """The state the run ends in (None: the file says nothing) and (task, text) pairs."""
    state, logs = None, []
    for line in path.read_text().splitlines():
        if match := re.match(r"# expect: (\w+)$", line):
            state = match[1]
        elif match := re.match(r"# log: (.+?): (.*)$", line):
            logs.append((match[1], match[2]))
    return state, logs


def has_sklearn():
    return subprocess.run(["/usr/bin/python3", "-c", "import sklearn"], capture_output=True).returncode == 0


class Examples(harness.TestCase):
    def run_example(self, path):
        state, logs = expectations(path)
        self.assertIn(state, EXIT_CODES, f"{path} does not begin with `# expect: succeeded` or `# expect: failed`")
        self.box.start()
        run = self.box.submit(path)
        result = self.box.wait(run, check=None)
        self.assertEqual(result.returncode, EXIT_CODES[state], f"{self.box.baton('describe', run).stdout}\n{self.box.log()}")
        for task, text in logs:
            self.assertIn(text, self.box.logs(run, task))


def add_test(path):
    name = str(path.relative_to(EXAMPLES).with_suffix("")).replace("/", "_").replace("-", "_")
    test = lambda self: self.run_example(path)
    if path.parent.name == "digits":
        test = unittest.skipUnless(has_sklearn(), "needs python3-sklearn")(test)
    setattr(Examples, f"test_{name}", test)


for example in sorted(EXAMPLES.rglob("*.yaml")):
    if expectations(example)[0] is not None:
        add_test(example)


class Complete(unittest.TestCase):
    def test_every_workflow_says_what_to_expect(self):
        silent = [str(path) for path in EXAMPLES.rglob("*.yaml")
                  if path.parent.name != "settings" and expectations(path)[0] is None]
        self.assertEqual(silent, [])


if __name__ == "__main__":
    harness.main()
