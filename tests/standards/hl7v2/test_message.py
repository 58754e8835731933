"""Bytes are a message and back; paths lead to texts, and an edit touches one field."""

from hl7v2_samples import ADT, ORU

from polyclinic.standards.hl7v2 import NULL, parse


def test_a_message_is_written_as_the_bytes_that_it_was_read_from():
    assert parse(ADT).write() == ADT
    assert parse(ORU).write() == ORU


def test_the_header_says_what_it_is():
    message = parse(ADT)
    assert (message.code, message.event, message.structure) == ("ADT", "A01", "ADT_A01")
    assert (message.control_id, message.version, message.processing) == ("M-1", "2.5.1", "P")
    assert message.sender == ("REG", "WEST")
    assert message.receiver == ("POLY", "CLINIC")
    assert message.get("MSH-1") == "|"
    assert message.get("MSH-2") == "^~\\&"


def test_paths_lead_to_texts():
    message = parse(ADT)
    assert message.get("PID-3") == "4711"
    assert message.get("PID-3.4.2") == "1.2.3"
    assert message.get("PID-3[2].5") == "SS"
    assert message.get("PID-3[3].5") is None
    assert message.get("PID-99") is None
    assert message.get("ZZZ-1") is None
    assert message.get("IN1[2]-2") == "PLAN2"
    assert message.all("PID-3.1") == ["4711", "123"]
    assert message.all("IN1-2") == ["PLAN", "PLAN2"]


def test_null_is_told_from_empty():
    (kin,) = parse(ADT).segments("NK1")
    assert kin.get("3") is NULL
    assert kin.get("5") is None


def test_an_edit_touches_only_the_field_that_it_names():
    message = parse(ADT)
    message.set("PID-5.1", "Dove")
    assert message.write() == ADT.replace(b"|Doe^Jane", b"|Dove^Jane")
