"""Acknowledgments speak the sender's own HL7; batches are counted."""

import pytest
from hl7v2_samples import ADT, ORU, head

from polyclinic.standards.hl7v2 import (
    Fault,
    Header,
    Malformed,
    acknowledge,
    batch,
    new_message,
    parse,
    refuse,
)


def answered(raw, code="AA", errors=()):
    return acknowledge(parse(raw), code, errors, control_id="A-1", at="20260301101501+0000")


def test_an_answer_turns_the_parties_around_and_names_the_message():
    assert answered(ADT).write() == (
        b"MSH|^~\\&|POLY|CLINIC|REG|WEST|20260301101501+0000||ACK^A01^ACK|A-1|P|2.5.1\rMSA|AA|M-1\r"
    )


def test_an_answer_keeps_the_marks_and_the_character_set_of_the_sender():
    raw = head(marks=b"$%*!@", charset="8859/1", control_id=b"\xdc!F!1").replace(b"REG", b"R\xd6")
    answer = answered(raw, "AE", [Fault("OBX[2]-5[3].1.2", "103", "E", "costs 5 $")])
    assert answer.write() == (
        b"MSH$%*!@$POLY$CLINIC$R\xd6$WEST$20260301101501+0000$$ACK%A08%ACK$A-1$P$2.5$$$$$$8859/1\r"
        b"MSA$AE$\xdc!F!1\r"
        b"ERR$$OBX%2%5%3%1%2$103%Table value not found%HL70357$E$$$$costs 5 !F!\r"
    )
    assert answer.get("MSA-2") == "Ü$1"


@pytest.mark.parametrize(
    ("place", "location"),
    [
        ("PID", "PID^1"),
        ("PID-3", "PID^1^3"),
        ("PID-3[2]", "PID^1^3^2"),
        ("PID-3.4", "PID^1^3^1^4"),
        ("OBX[12]-5", "OBX^12^5"),
        ("line 7", ""),
        ("", ""),
    ],
)
def test_the_place_of_an_error_is_said_in_the_standards_way(place, location):
    answer = answered(ADT, "AR", [Fault(place, "207", "E", "x")])
    assert answer.segments("ERR")[0].field(2) == location


def test_before_version_2_5_errors_are_said_in_the_old_way():
    raw = ADT.replace(b"|2.5.1", b"|2.3.1")
    faults = [Fault("PID-3", "101", "E", "No identifier."), Fault("PV1-2", "103", "E", "Unknown.")]
    assert (
        answered(raw, "AE", faults)
        .write()
        .endswith(
            b"MSA|AE|M-1|No identifier.\r"
            b"ERR|PID^1^3^101&Required field missing~PV1^1^2^103&Table value not found\r"
        )
    )


def test_only_codes_of_the_standard_are_answered():
    with pytest.raises(ValueError, match="no acknowledgment code"):
        answered(ADT, "OK")


# ATK-086: a control id or an event cannot add a segment to the answer.
@pytest.mark.parametrize("control", [b"1\\X0D\\MSA|AA|1", b"1\nMSA", b"1~2^3&4", b"\\"])
def test_nothing_in_a_message_adds_a_segment_to_its_answer(control):
    raw = head(control_id=control.replace(b"|", b"\\F\\")).replace(b"A08", b"A\\X0D\\8")
    answer = answered(raw)
    assert [segment.name for segment in answer.segments()] == ["MSH", "MSA"]
    assert answer.code == "ACK"


def test_what_is_no_message_is_refused_without_repeating_it():
    answer = refuse("No MSH segment stands at the beginning.", control_id="A-1", at="20260301")
    assert answer.write() == (
        b"MSH|^~\\&|||||20260301||ACK|A-1|P|2.5.1||||||ASCII\r"
        b"MSA|AR||No MSH segment stands at the beginning.\r"
    )


def test_a_message_of_our_own_is_made_of_its_header():
    header = Header(("POLY|1", "CLINIC"), ("LAB", "WEST"), "P-1", "20260301101500+0000")
    message = new_message("ADT", "A08", "ADT_A01", header)
    message.set("EVN-2", header.at)
    message.set("PID-3.1", "4711")
    message.set("PID-5.1", "Größe\r")
    assert (
        message.write()
        == (
            "MSH|^~\\&|POLY\\F\\1|CLINIC|LAB|WEST|20260301101500+0000||ADT^A08^ADT_A01|P-1|P|2.5.1"
            "||||||UNICODE UTF-8\rEVN||20260301101500+0000\rPID|||4711||Größe\\X0D\\\r"
        ).encode()
    )
    with pytest.raises(Malformed):
        new_message("ADT", "A08", "ADT_A01", Header(("", ""), ("", ""), "", "", charset="EBCDIC"))


WHOLE = (
    b"FHS|^~\\&|LAB\rBHS|^~\\&|LAB\r" + ADT + ORU + b"BTS|2\r"
    b"BHS|^~\\&|LAB\r" + ORU + b"BTS|1|end\rFTS|2\r"
)


@pytest.mark.parametrize("end", [b"\r", b"\n", b"\r\n"])
def test_a_batch_holds_its_messages_byte_by_byte(end):
    raw = WHOLE.replace(b"\r", end)
    assert batch.is_batch(raw)
    read = batch.read(raw)
    assert [message.write() for message in read.messages] == [
        each.replace(b"\r", end) for each in (ADT, ORU, ORU)
    ]
    assert read.header.name == "FHS"
    assert read.header.get("3") == "LAB"
    assert (read.trailer.name, read.trailer.get("1")) == ("FTS", "2")
    assert read.faults == []


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        (b"BTS|2", b"BTS|3", "BTS-1"),
        (b"BTS|2", b"BTS|many", "BTS-1"),
        (b"FTS|2", b"FTS|1", "FTS-1"),
        (b"FTS|2\r", b"", "FTS"),
        (b"BTS|1|end\r", b"", "BTS"),
        (b"BTS|2\r", b"", "BTS"),
        (b"FHS|^~\\&|LAB\r", b"", "FTS"),
        (b"FHS|^~\\&|LAB\rBHS|^~\\&|LAB\r", b"", "BTS"),
        (b"BHS|^~\\&|LAB\rMSH|^~\\&|L", b"MSH|^~\\&|L", "BTS"),
        (b"BHS|^~", b"BHSx^~", ""),
        (b"MSH|^~\\&|REG", b"MSH||REG", "MSH-2"),
        (b"BHS|^~\\&", b"BHS||", "BHS-2"),
    ],
)
def test_what_does_not_add_up_is_a_fault_and_the_messages_are_kept(old, new, place):
    read = batch.read(WHOLE.replace(old, new, 1))
    assert [fault.severity for fault in read.faults] == ["E"] * len(read.faults)
    if place:
        assert place in [fault.place for fault in read.faults]
    assert len(read.messages) == 3


def test_messages_may_follow_each_other_without_an_envelope():
    assert batch.is_batch(ADT + ORU)
    assert not batch.is_batch(ADT)
    assert not batch.is_batch(b"\x0b" + ADT)
    assert not batch.is_batch(b"")
    read = batch.read(b"\xef\xbb\xbf" + ADT + b"\r\n" + ORU)
    assert [message.control_id for message in read.messages] == ["M-1", "M-2"]
    assert read.faults == []


def test_an_empty_batch_and_a_missing_count_are_no_faults():
    assert batch.read(b"BHS|^~\\&\rBTS|0\r").faults == []
    assert batch.read(b"BHS|^~\\&\r" + ADT + b"BTS\r").faults == []


def test_a_text_does_not_begin_a_message_in_a_batch():
    raw = ORU.replace(b"clear", b"x\nMSH|^~\\&|forged")
    assert not batch.is_batch(raw)
    assert len(batch.read(b"BHS|^~\\&\r" + raw + b"BTS|1\r").messages) == 1


def test_what_is_no_batch_is_refused():
    for raw in (b"", b"PID|1\r", b"nothing"):
        with pytest.raises(Malformed):
            batch.read(raw)
    assert batch.read(b"junk\r" + ADT).faults
