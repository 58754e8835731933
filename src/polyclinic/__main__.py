"""`python -m polyclinic` and the command `polyclinic` are the same."""

import sys

from polyclinic.cli import main

if __name__ == "__main__":
    sys.exit(main())
