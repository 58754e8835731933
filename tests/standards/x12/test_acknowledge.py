"""Acknowledgments: taken, taken in part or refused, said in the codes that partners read."""

from dataclasses import replace

import pytest
from x12_samples import BATCH, OF_A_CHILD, PLAIN, REPORT, TO_CLINIC, TO_PAYER, claims_file

from polyclinic.standards.x12.acknowledge import (
    Acknowledgments,
    ElementError,
    InterchangeAcknowledgment,
    SegmentError,
    acknowledge,
    read_acknowledgments,
    read_claim_reports,
    write_acknowledgments,
    write_claim_reports,
)
from polyclinic.standards.x12.elements import segment
from polyclinic.standards.x12.envelope import parse, refusals, wrap, write
from polyclinic.standards.x12.professional_claim import read_claims, write_claims


def answer_to(data):
    return acknowledge(parse(data), read_claims(data).refused)


def carried(answers):
    """The same answers over the wire, from a file that is sound itself."""
    data = write_acknowledgments(TO_CLINIC, answers)
    assert refusals(parse(data)) == ()
    return read_acknowledgments(data)


def test_a_good_file_is_accepted_on_all_levels():
    answers = answer_to(claims_file())
    assert answers.interchanges == (InterchangeAcknowledgment("000000001", "260107", "1030"),)
    (group,) = answers.groups
    assert (group.status, group.included, group.received, group.accepted) == ("A", 1, 1, 1)
    assert [each.status for each in group.transactions] == ["A"]
    assert carried(answers) == answers


def test_a_rejected_interchange_gets_a_ta1_and_no_999():
    answers = answer_to(claims_file().replace(b"IEA*1", b"IEA*3"))
    assert answers.groups == ()
    assert (answers.interchanges[0].status, answers.interchanges[0].code) == ("R", "021")
    assert carried(answers) == answers


def test_a_bad_claim_is_named_and_the_others_are_accepted_with_errors():
    answers = answer_to(claims_file().replace(b"CLM*C-2*150.5", b"CLM*C-2*nothing"))
    (transaction,) = answers.groups[0].transactions
    assert (transaction.status, transaction.codes) == ("E", ("5",))
    assert transaction.errors == (SegmentError("CLM", 38, "8", (ElementError(2, "6"),)),)
    assert answers.groups[0].status == "E"
    assert carried(answers) == answers


def test_one_of_three_transactions_refused_makes_a_group_accepted_in_part():
    body = [segment("ST", "837", "", "005010X222A1"), segment("BHT", "0019")]
    data = write(wrap(TO_PAYER, "HC", "005010X222A1", [body] * 3))
    answers = acknowledge(parse(data.replace(b"SE*3*0002", b"SE*4*0002")))
    (group,) = answers.groups
    assert (group.status, group.received, group.accepted) == ("P", 3, 2)
    assert [each.codes for each in group.transactions] == [(), ("4",), ()]
    assert carried(answers) == answers


def test_a_control_number_used_twice_is_refused():
    body = [segment("ST", "837", "", "005010X222A1"), segment("BHT", "0019")]
    data = write(wrap(TO_PAYER, "HC", "005010X222A1", [body] * 2)).replace(b"*0002", b"*0001")
    (group,) = acknowledge(parse(data)).groups
    assert [each.codes for each in group.transactions] == [(), ("23",)]
    one = claims_file()
    start, end = one.index(b"GS*"), one.index(b"IEA*")
    twice = one[:end] + one[start:end] + one[end:].replace(b"IEA*1", b"IEA*2")
    assert [each.codes for each in acknowledge(parse(twice)).groups] == [(), ("19",)]


def test_the_caller_may_add_that_a_number_was_seen_before():
    interchange = parse(claims_file())
    seen = interchange.head.refused(13, "TA105-025", "The file was received before.")
    assert acknowledge(interchange, [seen]).interchanges[0].code == "025"


def test_what_another_sent_is_said_back_without_breaking_our_file():
    data = (
        claims_file().replace(b"GS*HC*", b"GS*\xff|*").replace(b"ST*837*0001*", b"ST*8|7*0\xff|*")
    )
    answers = acknowledge(parse(data))
    assert carried(answers).groups[0].status == "R"


def test_an_answer_that_cannot_be_read_is_refused_with_its_place():
    data = write_acknowledgments(TO_CLINIC, answer_to(claims_file()))
    broken = read_acknowledgments(data.replace(b"AK9*A*1*", b"AK9*A*x*"))
    assert broken.groups == ()
    assert [(fault.segment, fault.element) for fault in broken.refused] == [("AK9", 2)]
    missing = read_acknowledgments(data.replace(b"IK5*A~", b"").replace(b"SE*6", b"SE*5"))
    assert [(fault.segment, fault.code) for fault in missing.refused] == [("IK5", "IK304-3")]


def test_an_element_of_a_composite_is_read_by_its_number():
    data = write_acknowledgments(
        TO_CLINIC, answer_to(claims_file().replace(b"CLM*C-2*150.5", b"CLM*C-2*nothing"))
    )
    read = read_acknowledgments(data.replace(b"IK4*2*", b"IK4*2:1*"))
    assert read.groups[0].transactions[0].errors[0].elements == (ElementError(2, "6"),)


def test_a_report_on_claims_is_read_back_as_it_was_written():
    data = write_claim_reports(TO_CLINIC, [REPORT, replace(REPORT, reference="R2")])
    read = read_claim_reports(data)
    assert read.refused == ()
    assert read.reports == (REPORT, replace(REPORT, reference="R2"))


def test_one_bad_answer_of_a_report_does_not_lose_the_others():
    data = write_claim_reports(TO_CLINIC, [REPORT])
    read = read_claim_reports(data.replace(b"*WQ*150.5~REF", b"*??*150.5~REF"))
    assert [each.claim_id for each in read.reports[0].answers] == ["C-2"]
    assert [(fault.claim_id, fault.segment, fault.element) for fault in read.refused] == [
        ("C-1", "STC", 3)
    ]


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        (b"ST*277", b"ST*276", "IK502-1"),
        (b"*005010X214~ST", b"*005010X212~ST", "IK502-I6"),
        (b"NM1*41*", b"NM1*40*", "IK304-3"),
        (b"DTP*050*", b"DTP*051*", "IK304-3"),
        (b"BHT*", b"NTE*", "IK304-3"),
    ],
)
def test_a_report_that_cannot_be_read_is_refused(old, new, code):
    data = write_claim_reports(TO_CLINIC, [REPORT])
    assert old in data
    read = read_claim_reports(data.replace(old, new))
    assert read.reports == ()
    assert [fault.code for fault in read.refused] == [code]


def test_an_empty_answer_is_still_a_file():
    empty = Acknowledgments((InterchangeAcknowledgment("000000001", "260107", "1030"),), ())
    assert carried(empty) == empty


def test_a_999_counts_the_claims_own_segments():
    data = write_claims(TO_PAYER, replace(BATCH, claims=(PLAIN, OF_A_CHILD)))
    answers = answer_to(data.replace(b"DTP*472*D8*20260105", b"DTP*472*D8*20261305", 1))
    (error,) = answers.groups[0].transactions[0].errors
    segments = parse(data).groups[0].transactions[0].segments
    assert segments[error.number - 1].tag == "DTP" == error.segment
