"""tidy.py ROOT: prints what in the tree breaks a rule of style, one line each, and exits with 1 if there is any."""
import sys

import rules

findings = rules.check(sys.argv[1])
print("\n".join(map(str, findings)) or "tidy")
sys.exit(1 if findings else 0)
