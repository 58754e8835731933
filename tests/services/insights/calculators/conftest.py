"""What the tests of calculators share lies beside them."""

import sys
from pathlib import Path

# Tests are imported one by one, not as a package.
sys.path.insert(0, str(Path(__file__).parent))
