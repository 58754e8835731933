"""Lets the tests of this folder share `hl7v2_samples`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
