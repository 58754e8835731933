"""The tables: each rule can be carried out, and none can break on what a sender sends."""

import random
import sys
from pathlib import Path

import pytest
from messages_by_hand import VISIT, WHO, Rules, message, of_bytes

from polyclinic.services.integration.domain.intents import Refused, Unsupported
from polyclinic.services.integration.domain.mapping import conditions, primitives, tables
from polyclinic.services.integration.domain.mapping.kinds import KINDS
from polyclinic.standards.hl7v2 import Malformed

ROOT = Path(__file__).parents[3]


def test_every_rule_names_a_kind_and_a_map_that_are_there():
    known = {*KINDS, *primitives.PLAIN, *tables.tables()}
    for table, rule in tables.every_rule():
        assert rule.kind in known, (table.name, rule.text)
        if rule.kind == "code" or (rule.kind in ("Concept", "Coding") and rule.map):
            assert rule.map in tables.codes(), (table.name, rule.text)


def test_every_trigger_has_its_recipes_and_every_table_is_used():
    used = {name for recipe in tables.recipes().values() for name in recipe.fill}
    used |= {name for trigger in tables.triggers().values() for name in trigger.person}
    assert set(tables.tables()) - used == {
        "HumanName", "Address", "ContactPoint",  # data types
        "OBR[DiagnosticReport]", "ORC[DiagnosticReport]", "FT1[Charge]", "OBX[DocumentReference]",
        "NTE[DocumentReference]", "PID[Appointment]", "AIS[Appointment]", "AIG[Appointment]",
        "AIL[Appointment]", "AIP[Appointment]", "NTE[Appointment-Comment]",
    }  # fmt: skip


@pytest.mark.parametrize(
    "line", ["5 ->", "-> name", "5 -> na me", "name = ", "5 -> name as", "5 -> name when (5)",
             "5 -> name when 5 == 6", "__import__('os') -> x", "name = eval(1))"]
)  # fmt: skip
def test_what_is_no_rule_is_refused_when_it_is_read(line):
    with pytest.raises(ValueError, match="is no"):
        tables.rule(line)


@pytest.mark.parametrize(
    ("text", "holds"),
    [("2", True), ("3", False), ("not 3", True), ("2 = A", True), ("2 != A", False),
     ("2 in (B, A)", True), ("2 not in (B, A)", False), ("3 and 2", False), ("3 or 2", True),
     ("3 and 9 or 2 = A", True), ("not 2 = B", True), ("3 != A", True)],
)  # fmt: skip
def test_conditions_say_what_they_say(text, holds):
    values = {"2": "A"}
    assert conditions.read(text).holds(values.get) is holds


MESSAGES = [
    message("ADT^A01", WHO, "NK1|1|A^B|SPO|1 Elm^^Troy|555", VISIT, "AL1|1|DA|1^Latex|SV|Rash",
            "DG1|1||I10^H^I10C||20260105|A", "IN1|1|P|Q|Health", "OBX|1|NM|1^H^LN||5|cm|||||F"),
    message("ORU^R01", WHO, VISIT, "ORC|RE|P1|F1", "OBR|1|P1|F1|5^C^LN|||20260105|||||||||||||||"
            "20260105||HM|F", "OBX|1|SN|1^H^LN||>^5|mg/dL|1-5|H|||F|||20260105", "NTE|1||x",
            "SPM|1|S1||BLD|||||||||||||20260105"),
    message("SIU^S12", "SCH|P1|F1|||||R|C|30|min|^^^20260110090000", WHO, "RGS|1",
            "AIS|1||S^V|20260110090000|||30|min", "AIP|1||7^W", "AIL|1||3W"),
    message("ORM^O01", WHO, VISIT, "ORC|NW|P1^X|||||^^^20260105||20260105|||1^R", "OBR|1|P1||5^C"),
    message("MDM^T02", WHO, "TXA|1|PN|TX|20260105||||||||D1|||||AU||AV", "OBX|1|TX|||text||||||F"),
    message("VXU^V04", WHO, "ORC|RE||I1", "RXA|0|1|20260105||08^H^CVX|1|mL||00", "RXR|IM|LA"),
    message("DFT^P03", WHO, VISIT, "FT1|1|T1||20260105||CG|9^V^CPT|||1|5&USD"),
    message("ADT^A40", WHO, "MRG|9^^^WEST^MR"),
]  # fmt: skip
JUNK = [
    b"",
    b'""',
    b"00000000",
    b"99991231",
    b"20260308023000",
    b"\xc3\xa9\xe2\x82\xac",
    b"^^^^^^^^",
    b"~~~~",
    b"a&b&c^d&e~f",
    b"-1",
    b"1e999",
    b"9" * 400,
    b"\\X41\\\\.br\\\\Z9\\",
    b"<script>",
    b"\x07 \x00",
    b" ",
    b"ED",
    b"SN",
    b"DR",
    b"#/.",
    b"Y",
    b"D",
    b"2^1",
    b"http://x y",
]


def broken(raw: bytes, chance: random.Random) -> bytes:
    """The message with some fields exchanged, and perhaps a segment doubled, moved or lost."""
    lines = raw.split(b"\r")
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(1, len(lines))
        fields = lines[at].split(b"|")
        fields[chance.randrange(1, len(fields)) if len(fields) > 1 else 0] = chance.choice(JUNK)
        lines[at] = b"|".join(fields)
    if chance.random() < 0.3:
        lines.insert(chance.randrange(1, len(lines)), chance.choice(lines[1:]))
    if chance.random() < 0.2:
        del lines[chance.randrange(1, len(lines))]
    return b"\r".join(lines)


def fuzz(seed: int, count: int) -> int:
    chance = random.Random(seed)
    made = 0
    for _ in range(count):
        raw = broken(chance.choice(MESSAGES), chance)
        try:
            made += len(of_bytes(raw, Rules(mode=chance.choice(["snapshot", "action"]))).intents)
        except (Refused, Unsupported, Malformed):
            continue
    return made


def test_whatever_a_sender_sends_it_is_refused_in_words_or_becomes_valid():
    assert fuzz(20260105, 600) > 300


def test_the_page_says_the_coverage_that_is_measured():
    sys.path.insert(0, str(ROOT / "scripts"))
    try:
        import measure_mappings
    finally:
        sys.path.pop(0)
    if not measure_mappings.OFFICIAL.exists():
        pytest.skip("the official tables lie beside the repository, in ../shared")
    assert measure_mappings.table_of() in measure_mappings.PAGE.read_text(encoding="utf-8")
    for name, count, _ in measure_mappings.measured():
        assert count.done >= 0.7 * count.meant, name
