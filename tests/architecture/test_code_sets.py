"""No procedure codes of others are in the repository: CPT belongs to the AMA, CDT to the ADA.

Nobody can tell a copied description by looking at it, but a *list* of such codes with words beside
them has a shape: CPT codes are five digits (or four and F, T, U or M), CDT codes are D and four
digits. Our own demo codes are Z and four digits.
"""

import contextlib
import csv
import io
import json
import re
from typing import Any

import pytest

# CPT's categories I, II, III and PLA; CDT.
CODE = re.compile(r"(?:[0-9]{4}[0-9FTUM]|D[0-9]{4})", re.ASCII)
WORDS = re.compile(r"[A-Za-z]{3,}")
# In these columns a five-digit number is a code of procedures, whatever else is in the file.
CODE_COLUMNS = re.compile(
    r"^(?:cpt|cdt|hcpcs|procedure|service|billing|charge)?[ _-]?codes?$", re.I
)
# In pieces: another scan looks for these addresses with a display beside them, here too.
CPT, CDT = "http://www.ama-assn.org/" + "go/cpt", "http://www.ada.org/" + "cdt"
SYSTEMS = (CPT, CDT)
TABLES = (".csv", ".tsv", ".txt")
# ZIP codes and numbers of sites stand beside words too; where, and why that is no code set.
KNOWN: dict[str, str] = {}


def of_table(text: str) -> list[str]:
    """Codes with a description beside them, in the rows of a table with a header."""
    delimiter = "\t" if "\t" in text.partition("\n")[0] else ","
    try:
        rows = list(csv.reader(io.StringIO(text), delimiter=delimiter))
    except csv.Error:
        return []
    header = rows[0] if rows else []
    columns = [n for n, name in enumerate(header) if CODE_COLUMNS.match(name.strip())]
    return [
        row[n]
        for row in rows[1:]
        for n in columns
        if n < len(row)
        and CODE.fullmatch(row[n].strip())
        and any(WORDS.search(cell) for m, cell in enumerate(row) if m != n)
    ]


def of_json(value: Any) -> list[str]:
    """FHIR codings of these systems, or objects with a code of that shape and a description."""
    if isinstance(value, list):
        return [found for each in value for found in of_json(each)]
    if not isinstance(value, dict):
        return []
    found = [code for each in value.values() for code in of_json(each)]
    code = value.get("code")
    if isinstance(code, str) and CODE.fullmatch(code):
        system = str(value.get("system", ""))
        words = [value.get(name) for name in ("display", "title", "description", "text")]
        is_named = any(isinstance(each, str) and WORDS.search(each) for each in words)
        if system in SYSTEMS or (not system and is_named):
            found.append(code)
    return found


def of_text(text: str) -> list[str]:
    """Quoted codes with a quoted description right beside them, as Python, YAML or SQL write it."""
    beside = re.compile(
        r"""['"](?P<code>[0-9]{4}[0-9FTUM]|D[0-9]{4})['"]\s*[,:=]\s*['"](?P<words>[^'"\n]{6,})['"]"""
    )
    return [
        match["code"]
        for match in beside.finditer(text)
        if " " in match["words"] and len(WORDS.findall(match["words"])) >= 2
    ]


def codes_in(name: str, text: str) -> list[str]:
    found: list[str] = []
    if name.endswith(TABLES):
        found += of_table(text)
    if name.endswith(".json"):
        with contextlib.suppress(ValueError, RecursionError):
            found += of_json(json.loads(text))
    if name.endswith((".ndjson", ".jsonl")):
        for line in text.splitlines():
            found += of_json(json.loads(line)) if line.strip() else []
    if name.endswith((".py", ".sql", ".yaml", ".yml", ".toml", ".md")):
        found += of_text(text)
    return found


def test_no_procedure_codes_of_others_are_in_the_repository(texts: dict[str, str]):
    """Shipping them needs a licence that this project does not have; clinics bring their own."""
    ours = "tests/architecture/test_code_sets.py"
    copied = {
        name: codes[:5]
        for name, text in texts.items()
        if name != ours and name not in KNOWN and (codes := codes_in(name, text))
    }
    assert not copied


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("fees.csv", "code,modifier,title,amount\n12345,,Some kind of visit,1.00\n"),
        ("fees.csv", "CPT Code,Description\n1234F,Some measure of something\n"),
        ("fees.tsv", "procedure_code\tname\nD1234\tSome dental thing\n"),
        ("a.json", json.dumps({"coding": [{"system": CPT, "code": "12345"}]})),
        ("a.json", '[{"code": "D1234", "description": "Some dental thing"}]'),
        ("a.ndjson", '{"a": {"code": "1234T", "display": "Some new thing"}}\n'),
        ("seed.py", 'CODES = {"12345": "Some kind of visit"}'),
        ("seed.sql", "INSERT INTO fee VALUES ('D1234', 'Some dental thing')"),
        ("rules.yaml", "'12345': 'Some kind of visit'"),
    ],
)
def test_the_scan_finds_a_planted_list(name: str, text: str):
    assert codes_in(name, text)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("fees.csv", "code,modifier,title,amount\nZ1001,,Visit of a known patient,120.00\n"),
        ("people.csv", "zip,city\n62701,Springfield\n"),
        ("a.json", '{"system": "http://loinc.org", "code": "12345", "display": "Some result"}'),
        ("a.json", '{"code": "42805", "count": 3}'),
        ("rules.py", 'CODES = {"42P01": "undefined table"}; PORT = ("12345", "x")'),
        ("a.md", "Port 54321, `D1234` and 12345 are only numbers here."),
    ],
)
def test_the_scan_leaves_other_numbers_alone(name: str, text: str):
    assert not codes_in(name, text)
