"""python-hl7, written by others, reads the same texts in the same places."""

import random

import hl7
import pytest
from hl7v2_samples import ADT, ORU

from polyclinic.standards.hl7v2 import Header, batch, new_message, parse

WORDS = ["", "a", "Müller", "O'Neil", "x y", "a|b", "c^d", "e&f", "g~h", "i\\j", "漢字", "5.5"]


def generated(rng):
    """A message of our writing and what was written where."""
    header = Header(("A", "B"), ("C", "D"), str(rng.random()), "20260301")
    message = new_message("ORU", "R01", "ORU_R01", header)
    wanted = {}
    for number, name in enumerate(("PID", "OBR", "OBX", "ZZZ"), 1):
        for _ in range(rng.randrange(1, 12)):
            spot = (rng.randrange(1, 15), rng.randrange(1, 4), rng.randrange(1, 4),
                    rng.randrange(1, 3))  # fmt: skip
            wanted[(number, name, spot)] = rng.choice(WORDS)
    for (_, name, (field, repetition, component, sub)), text in wanted.items():
        message.set(f"{name}-{field}[{repetition}].{component}.{sub}", text)
    return message, wanted


def theirs(message, name, spot):
    """python-hl7 raises on paths that are shorter than asked, where we say None."""
    try:
        return message.extract_field(name, 1, *spot) or ""
    except (IndexError, KeyError):
        return ""


@pytest.mark.parametrize("seed", range(60))
def test_what_we_write_others_read_in_the_same_places(seed):
    message, wanted = generated(random.Random(seed))
    other = hl7.parse(message.write().decode())
    for (_, name, spot), text in wanted.items():
        assert theirs(other, name, spot) == text
        field, repetition, component, sub = spot
        assert (message.get(f"{name}-{field}[{repetition}].{component}.{sub}") or "") == text


@pytest.mark.parametrize("raw", [ADT, ORU])
def test_we_read_what_others_read(raw):
    other, message = hl7.parse(raw.decode()), parse(raw)
    assert str(other).strip() == message.write().decode().strip()
    for segment, theirs_ in zip(message.segments(), other, strict=True):
        assert str(theirs_) == segment.line
        for number in range(1, len(segment) + 1):
            assert str(theirs_(number)) == segment.field(number)


def test_batches_are_split_as_others_split_them():
    raw = b"BHS|^~\\&|LAB\r" + ADT + ORU + b"BTS|2\r"
    ours = [message.write().decode().strip() for message in batch.read(raw).messages]
    assert ours == [str(message).strip() for message in hl7.parse_batch(raw.decode())]
