"""Bytes are a message and back; paths lead to texts, and an edit touches one field."""

import pytest
from hl7v2_samples import ADT, ORU, head
from hypothesis import given
from hypothesis import strategies as st

from polyclinic.standards.hl7v2 import NULL, Malformed, parse

SHAPES = {
    "BOM": b"\xef\xbb\xbf" + ADT,
    "a leading VT": b"\x0b" + ADT,
    "a whole frame": b"\x0b" + ADT + b"\x1c\r",
    "BOM in a frame": b"\x0b\xef\xbb\xbf" + ADT + b"\x1c\r",
    "LF": ADT.replace(b"\r", b"\n"),
    "CRLF": ADT.replace(b"\r", b"\r\n"),
    "blank lines": ADT.replace(b"\r", b"\r\r"),
    "blank LF lines": b"\n\n" + ADT.replace(b"\r", b"\n\n"),
    "no last line end": ADT.rstrip(b"\r"),
    "many last line ends": ADT + b"\r\n\r\n",
}


@pytest.mark.parametrize("shape", SHAPES)
def test_line_ends_and_wrappings_are_read_alike_and_kept(shape):
    message = parse(SHAPES[shape])
    assert message.write() == SHAPES[shape]
    assert message.faults() == ()
    assert [each.line for each in message.segments()] == ADT.decode().split("\r")[:-1]
    message.set("PID-5.1", "Dove")
    assert message.write() == SHAPES[shape].replace(b"|Doe^Jane", b"|Dove^Jane")


def test_the_header_says_what_it_is():
    message = parse(ADT)
    assert (message.code, message.event, message.structure) == ("ADT", "A01", "ADT_A01")
    assert (message.control_id, message.version, message.processing) == ("M-1", "2.5.1", "P")
    assert message.sender == ("REG", "WEST")
    assert message.receiver == ("POLY", "CLINIC")
    assert message.at == "20260301101500+0100"
    assert message.get("MSH-1") == "|"
    assert message.get("MSH-2") == "^~\\&"
    assert parse(b"MSH|^~\\&").control_id == ""


def test_paths_lead_to_texts():
    message = parse(ADT)
    assert message.get("PID-3") == "4711"
    assert message.get("PID-3.4.2") == "1.2.3"
    assert message.get("PID-3[2].5") == "SS"
    assert message.get("PID-3[3].5") is None
    assert message.get("PID-99") is None
    assert message.get("ZZZ-1") is None
    assert message.get("IN1[2]-2") == "PLAN2"
    assert message.get("IN1[3]-2") is None
    assert message.get("ZPI-2") == "thing"
    assert message.all("PID-3.1") == ["4711", "123"]
    assert message.all("IN1-2") == ["PLAN", "PLAN2"]
    assert message.all("IN1[2]-2") == ["PLAN2"]
    assert message.all("AL1-5[2]") == ["Wheeze"]


def test_segments_and_repetitions_are_read_in_place():
    (person,) = parse(ADT).segments("PID")
    first, second = person.repetitions(3)
    assert (first.get("4.2"), second.get("4"), second.get("9")) == ("1.2.3", "USSSA", None)
    assert first.components()[3] == ("WEST", "1.2.3", "ISO")
    assert person.repetitions(2) == ()
    assert (person.name, person.index, len(person)) == ("PID", 3, 8)
    assert person.all("3.5") == ["MR", "SS"]


@pytest.mark.parametrize("path", ["PID", "PID-0", "pid-3", "PID-3[0]", "PID-3.1.1.1", "-3", "PI-3"])
def test_a_path_that_is_none_is_a_mistake_of_ours(path):
    with pytest.raises(ValueError, match="no path"):
        parse(ADT).get(path)


def test_null_is_told_from_empty_and_from_a_text_that_looks_like_it():
    message = parse(head() + b'NK1||Doe|""|a""|\\X2222\\|""^""\r')
    assert message.get("NK1-3") is NULL
    assert message.get("NK1-4") == 'a""'
    assert message.get("NK1-5") == '""'
    assert message.get("NK1-5") is not NULL
    assert message.get("NK1-6.2") is NULL
    assert message.get("NK1-1") is None
    message.set("NK1-2", NULL)
    message.set("NK1-3", '""')
    assert message.segments("NK1")[0].line.startswith('NK1||""|\\X2222\\|')
    assert message.get("NK1-2") is NULL
    assert message.get("NK1-3") is not NULL


def test_an_edit_writes_at_exactly_the_level_that_it_names():
    message = parse(ADT)
    message.set("PID-3[2].1", "9|9")
    message.set("PID-3[3].4.2", "far")
    message.set("PID-8", "")
    message.set("AL1-5", "one")
    message.set("NK1-12.3", "new")
    expected = (
        ADT.replace(b"123^^^USSSA^SS", b"9\\F\\9^^^USSSA^SS~^^^&far")
        .replace(b"19800229|F\r", b"19800229|\r")
        .replace(b"Hives~Wheeze", b"one")
        .replace(b"^^Springfield\r", b"^^Springfield||||||||^^new\r")
    )
    assert message.write() == expected
    assert message.get("PID-3[2]") == "9|9"


def test_segments_are_added_at_the_end_with_the_line_ends_of_the_message():
    message = parse(SHAPES["CRLF"])
    message.set("ZZZ-2", "first")
    message.add("ZZZ").set("1", "second")
    assert message.write() == SHAPES["CRLF"] + b"ZZZ||first\r\nZZZ|second\r\n"
    assert message.get("ZZZ[2]-1") == "second"
    for name in ("MSH", "zzz", "Z|Z", "ZZZZ", "ZZ\r"):
        with pytest.raises(ValueError, match="no name"):
            message.add(name)
    with pytest.raises(ValueError, match="keeps the delimiters"):
        message.set("MSH-2", "^~\\&#")
    with pytest.raises(ValueError, match="there is no"):
        message.set("PID[2]-1", "2")


@pytest.mark.parametrize(
    "raw", [b"", b"PID|1\r", b"\x0b\x1c\r", b"msh|^~\\&|", b"BHS|^~\\&|", b"X" + ADT, b"MS"]
)
def test_what_does_not_begin_with_a_header_is_no_message(raw):
    with pytest.raises(Malformed) as refusal:
        parse(raw)
    assert refusal.value.place == "MSH"


# ATK-086: a line end in a text makes lines that are no segments, or segments nobody wrote.
def test_a_line_that_is_no_segment_is_a_fault_and_is_kept():
    raw = ADT.replace(b"Springfield", b"Spring\rfield^x")
    message = parse(raw)
    (fault,) = message.faults()
    assert (fault.place, fault.severity) == ("line 5", "E")
    assert "field^x" not in fault.text
    assert message.write() == raw
    assert len(message.segments()) == 12


def test_a_line_feed_is_text_where_segments_end_with_cr():
    message = parse(ORU.replace(b"clear", b"cl\nOBX|9|ST|X||forged"))
    assert len(message.segments("OBX")) == 4
    assert message.get("OBX[3]-5") == "cl\nOBX"


def test_two_messages_in_one_are_a_fault():
    (fault,) = parse(ADT + ORU).faults()
    assert (fault.place, fault.severity) == ("MSH[2]", "E")


PIECE = st.one_of(
    st.sampled_from([b"|", b"^", b"~", b"&", b"\\", b"\r", b"\n", b"\r\n", b'""', b"PID", b"\x1b"]),
    st.sampled_from([b"\\F\\", b"\\X0D\\", b"\\.br\\", b"\x1b$B", b"\x1b(B", b"\xa4\x7c", b"ZZ1|"]),
    st.binary(max_size=6),
)
SETS = ["", "ASCII", "UNICODE UTF-8", "8859/1", "BIG-5", "GB 18030-2000", "~ISO IR87"]
ANY = st.builds(
    lambda charset, pieces: head(charset=charset) + b"PID|" + b"".join(pieces),
    st.sampled_from(SETS),
    st.lists(PIECE, max_size=40),
)  # fmt: skip
TEXT = st.text(st.characters(codec="utf-8"), max_size=40)


@given(ANY)
def test_whatever_follows_the_header_is_written_as_it_was_read(raw):
    message = parse(raw)
    assert message.write() == raw
    message.faults()
    message.groups()


@given(ANY, st.integers(1, 40), st.integers(1, 3), st.integers(1, 4))
def test_an_edit_leaves_every_other_byte_alone(raw, field, repetition, component):
    raw += b"\rZZ9|tail\r"
    message = parse(raw)
    before = [segment.line for segment in message.segments()]
    message.set(f"ZZ9-{field}[{repetition}].{component}", "x|y\r~")
    written = message.write()
    assert written.startswith(raw[: raw.rindex(b"ZZ9|")])
    again = parse(written)
    assert [segment.line for segment in again.segments()][:-1] == before[:-1]
    assert again.get(f"ZZ9-{field}[{repetition}].{component}") == "x|y\r~"


@given(TEXT, st.sampled_from([b"|^~\\&", b"|^~\\&#", b"$%*!@", b"^|~\\&", b"|~^&\\"]))
def test_no_text_can_leave_the_component_that_it_was_written_to(text, marks):
    message = parse(head(marks=marks) + b"OBX\rPID\r")
    message.set("OBX-5[2].3.2", text)
    again = parse(message.write())
    assert [segment.name for segment in again.segments()] == ["MSH", "OBX", "PID"]
    assert (again.get("OBX-5[2].3.2") or "") == text
    assert len(again.segments("OBX")[0]) == 5
    assert not {0x0B, 0x1C, 0x0A} & set(message.write())
