"""ICD-10-CM: which codes may stand on a claim. https://www.cdc.gov/nchs/icd/icd-10-cm

The list comes with the package simple-icd-10-cm, which is not imported for it: importing reads
all of the classification's notes (5 s and 177 MB on the machine this was built on), while the
list of its codes alone says which of them have no code below (0.1 s, 8 MB).
"""

import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path

_LIST = "code-list-*.txt"
CODE = re.compile(r"[A-Z][0-9][0-9A-Z](?:\.?[0-9A-Z]{1,4})?", re.ASCII)


@cache
def billable_codes() -> frozenset[str]:
    """All codes without one below, without dots. The list is in the order of the tree."""
    codes = _codes()
    following = [*codes[1:], ""]
    return frozenset(
        code
        for code, after in zip(codes, following, strict=True)
        if CODE.fullmatch(code) and not after.startswith(code)
    )


def dotted(code: str) -> str:
    """`E119` → `E11.9`, as people write it."""
    bare = code.replace(".", "")
    return f"{bare[:3]}.{bare[3:]}" if len(bare) > 3 else bare


def _codes() -> list[str]:
    spec = find_spec("simple_icd_10_cm")
    assert spec is not None
    assert spec.submodule_search_locations
    folder = Path(spec.submodule_search_locations[0]) / "data"
    return max(folder.glob(_LIST)).read_text(encoding="ascii").split()
