"""Real systems' messages, which lie beside the clone and are never copied into it."""

from pathlib import Path

import hl7
import pytest

from polyclinic.standards.hl7v2 import acknowledge, parse

SAMPLES = Path(__file__).parents[4] / "shared/data/hl7v2/samples"
FILES = sorted(path for path in SAMPLES.glob("*") if path.suffix in (".hl7", ".txt"))

if not FILES:
    pytest.skip("the sample messages are not beside this clone", allow_module_level=True)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_sample_is_read_as_others_read_it_and_written_as_it_was(path):
    raw = path.read_bytes()
    message = parse(raw)
    assert message.write() == raw
    assert [fault for fault in message.faults() if fault.severity == "E"] == []
    assert message.groups().everything() == list(message.segments())
    lines = raw.decode().replace("\r\n", "\r").replace("\n", "\r")
    other = hl7.parse(lines)
    assert [segment.line for segment in message.segments()] == [str(each) for each in other]
    assert (message.code, message.event) == tuple(map(str, other.segment("MSH")(9)(1)))[:2]
    answer = acknowledge(message, "AA", control_id="A", at="20260301")
    assert answer.get("MSA-2") == message.control_id
