"""Claims: what is written is read back the same, and no text of a person breaks a segment."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from x12_samples import (
    ANN,
    BATCH,
    CLINIC,
    HOME,
    LINES,
    NPI,
    OF_A_CHILD,
    PAYER,
    PLAIN,
    SECOND_PAYER,
    TO_PAYER,
    claims_file,
)

from polyclinic.standards.x12.envelope import parse, refusals
from polyclinic.standards.x12.professional_claim import (
    Adjustment,
    Claim,
    ServiceLine,
    claim_faults,
    read_claims,
    write_claims,
)
from polyclinic.standards.x12.refused import Refused

texts = st.text("ABCDEFGHabcdefgh-'.", min_size=1, max_size=20)
codes = st.text("ABCDEFGH0123456789-", min_size=1, max_size=20)
days = st.dates(date(1990, 1, 1), date(2060, 1, 1))
diagnoses = st.lists(
    st.from_regex(r"[A-Z][0-9][0-9A-Z]{1,5}", fullmatch=True),
    min_size=1, max_size=12, unique=True,
).map(tuple)  # fmt: skip


@st.composite
def service_lines(draw, diagnosis_count):
    return ServiceLine(
        draw(st.from_regex(r"[A-Z][0-9]{4}", fullmatch=True)),
        draw(st.integers(0, 10**7)),
        draw(days),
        tuple(draw(st.lists(st.integers(1, diagnosis_count), min_size=1, max_size=4))),
        tuple(draw(st.lists(st.from_regex(r"[A-Z0-9]{2}", fullmatch=True), max_size=4))),
        draw(st.decimals("0.001", 9999, places=3)),
        draw(codes),
    )


@st.composite
def any_claims(draw):
    known = draw(diagnoses)
    lines = tuple(draw(st.lists(service_lines(len(known)), min_size=1, max_size=5)))
    like = draw(st.sampled_from([PLAIN, OF_A_CHILD, SECOND_PAYER]))
    sent_again = draw(st.booleans())
    return replace(
        like,
        subscriber=replace(like.subscriber, last_name=draw(texts), member_id=draw(codes)),
        total=sum(line.charge for line in lines),
        diagnoses=known,
        lines=lines,
        place_of_service=draw(st.from_regex(r"[0-9]{2}", fullmatch=True)),
        frequency=draw(st.sampled_from("78")) if sent_again else "1",
        original_reference=draw(codes) if sent_again else "",
        onset_date=draw(st.none() | days),
        prior_authorization=draw(st.just("") | codes),
    )


@settings(max_examples=40)
@given(st.lists(any_claims(), min_size=1, max_size=6))
def test_any_claims_are_read_back_as_they_were_written(claims):
    named = tuple(replace(claim, claim_id=f"C-{n}") for n, claim in enumerate(claims))
    batch = replace(BATCH, claims=named)
    read = read_claims(write_claims(TO_PAYER, batch))
    assert read.refused == ()
    assert read.batches == (batch,)


@settings(max_examples=300)
@given(st.text(max_size=80), st.text(max_size=80))
def test_no_name_ever_breaks_a_segment(last, first):
    someone = replace(
        ANN, last_name=last, first_name=first, address=replace(HOME, second_line=first)
    )
    batch = replace(BATCH, claims=(replace(PLAIN, subscriber=someone), OF_A_CHILD))
    try:
        data = write_claims(TO_PAYER, batch)
    except Refused as fault:
        assert (fault.segment, fault.element, fault.claim_id) == ("NM1", 3, "C-1")  # noqa: PT017
        return
    assert data.isascii()
    assert refusals(parse(data)) == ()
    (read,) = read_claims(data).batches
    assert len(read.claims) == 2
    assert write_claims(TO_PAYER, read) == data


@pytest.mark.parametrize(
    ("name", "carried"),
    [
        ("Müller-Lüdenscheidt", "Muller-Ludenscheidt"),
        ("O’Brien", "O'Brien"),
        ("Smith*Jones~", "Smith Jones"),
        ("Łódź Straße", "Lodz Strasse"),
        ("  A \n\t B  ", "A B"),
        ("X" * 70, "X" * 60),
    ],
)
def test_a_name_is_carried_by_a_rule(name, carried):
    batch = replace(BATCH, claims=(replace(PLAIN, subscriber=replace(ANN, last_name=name)),))
    (read,) = read_claims(write_claims(TO_PAYER, batch)).batches
    assert read.claims[0].subscriber.last_name == carried


@pytest.mark.parametrize("name", ["", "   ", "李小龙", "~*:^"])
def test_a_name_of_which_nothing_is_left_is_refused_with_its_claim(name):
    batch = replace(BATCH, claims=(PLAIN, replace(OF_A_CHILD, patient=replace(
        OF_A_CHILD.patient, last_name=name))))  # fmt: skip
    with pytest.raises(Refused) as refusal:
        write_claims(TO_PAYER, batch)
    fault = refusal.value
    assert (fault.segment, fault.element, fault.claim_id) == ("NM1", 3, "C-2")


@pytest.mark.parametrize("number", ["A*B", "A~B", "A:B", "A^B", "É1", "A\nB", " A", "X" * 51])
def test_an_identifier_that_cannot_be_carried_as_it_is_is_refused_not_changed(number):
    batch = replace(BATCH, claims=(replace(PLAIN, prior_authorization=number),))
    with pytest.raises(Refused, match="REF02"):
        write_claims(TO_PAYER, batch)


WRONG = [
    ({"claim_id": "X" * 21}, "CLM01", "IK403-5"),
    ({"claim_id": ""}, "CLM01", "IK403-5"),
    ({"total": 15051}, "CLM02", "BAL-CLM02"),
    ({"total": -1}, "CLM02", "IK403-5"),
    ({"place_of_service": "1"}, "CLM05", "IK403-7"),
    ({"frequency": "2"}, "CLM05", "IK403-7"),
    ({"frequency": "7"}, "REF02", "IK304-3"),
    ({"diagnoses": ()}, "HI01", "IK304-3"),
    ({"diagnoses": tuple(f"A{n:02}" for n in range(13))}, "HI13", "IK403-3"),
    ({"diagnoses": ("E11.9", "E119")}, "HI", "IK403-7"),
    ({"diagnoses": ("E119", "flu")}, "HI02", "IK403-7"),
    ({"lines": (), "total": 0}, "LX", "IK304-3"),
    ({"lines": LINES * 26, "total": 15050 * 26}, "LX", "IK304-4"),
    ({"payer_sequence": "X"}, "SBR01", "IK403-7"),
    ({"subscriber": replace(ANN, birth_date=None)}, "DMG", "IK304-3"),
    ({"subscriber": replace(ANN, birth_date=date(1850, 1, 1))}, "DMG02", "IK403-8"),
    ({"subscriber": replace(ANN, sex="X")}, "DMG03", "IK403-7"),
    ({"subscriber": replace(ANN, address=replace(HOME, postal_code="1"))}, "N403", "IK403-6"),
    ({"billing_provider": replace(CLINIC, npi="1234567890")}, "NM109", "IK403-7"),
    ({"billing_provider": replace(CLINIC, tax_id="1")}, "REF02", "IK403-6"),
    ({"billing_provider": replace(CLINIC, address=replace(HOME, postal_code="62701"))},
     "N403", "IK403-6"),
    ({"other_payers": SECOND_PAYER.other_payers * 11}, "SBR", "IK304-4"),
    ({"other_payers": (replace(SECOND_PAYER.other_payers[0], sequence="X"),)}, "SBR01", "IK403-7"),
    ({"other_payers": (replace(SECOND_PAYER.other_payers[0],
                               adjustments=(Adjustment("XX", "1", 1),)),)}, "CAS01", "IK403-7"),
    ({"rendering_provider": replace(OF_A_CHILD.rendering_provider, npi="9")}, "NM109", "IK403-7"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "place", "code"), WRONG)
def test_a_claim_says_what_is_wrong_with_it_before_it_is_written(change, place, code):
    claim = replace(PLAIN, **change)
    found = {
        (f"{fault.segment}{fault.element:02d}" if fault.element else fault.segment, fault.code)
        for fault in claim_faults(claim)
    }
    assert (place, code) in found
    with pytest.raises(Refused):
        write_claims(TO_PAYER, replace(BATCH, claims=(claim,)))


@pytest.mark.parametrize(
    "change",
    [
        {"code": "D1"}, {"modifiers": ("25",) * 5}, {"modifiers": ("255",)}, {"charge": -1},
        {"charge": 10**10}, {"units": Decimal(0)}, {"units": Decimal("NaN")},
        {"units": Decimal("Infinity")}, {"units": Decimal("1.0001")}, {"diagnoses": ()},
        {"diagnoses": (3,)}, {"diagnoses": (1, 1, 1, 1, 1)}, {"service_end": date(2020, 1, 1)},
    ],
)  # fmt: skip
def test_a_line_says_its_number_when_it_is_wrong(change):
    line = replace(LINES[0], **change)
    claim = replace(PLAIN, lines=(LINES[1], line), total=LINES[1].charge + line.charge)
    assert any(fault.text.startswith("Line 2: ") for fault in claim_faults(claim))


def test_claims_that_are_right_have_no_faults():
    for claim in (PLAIN, OF_A_CHILD, SECOND_PAYER):
        assert claim_faults(claim) == ()


def test_a_claims_id_stands_in_a_file_once():
    with pytest.raises(Refused, match="twice"):
        write_claims(TO_PAYER, replace(BATCH, claims=(PLAIN, PLAIN)))


def test_a_file_without_a_claim_or_with_a_bad_telephone_is_not_written():
    with pytest.raises(Refused, match="no claim"):
        write_claims(TO_PAYER, replace(BATCH, claims=()))
    with pytest.raises(Refused, match="telephone"):
        write_claims(TO_PAYER, replace(BATCH, submitter=replace(BATCH.submitter, telephone="555")))


def test_one_bad_claim_never_blocks_the_others():
    claims = tuple(replace(PLAIN, claim_id=f"C{n}") for n in range(20))
    data = write_claims(TO_PAYER, replace(BATCH, claims=claims))
    for n in range(20):
        read = read_claims(data.replace(b"CLM*C%d*150.5*" % n, b"CLM*C%d*x*" % n))
        assert [fault.claim_id for fault in read.refused] == [f"C{n}"]
        assert [each.claim_id for each in read.batches[0].claims] == [
            f"C{other}" for other in range(20) if other != n
        ]


def test_a_level_that_cannot_be_read_takes_the_claims_below_it_along_and_no_others():
    data = claims_file().replace(b"DMG*D8*20150505*M", b"DMG*D8*99999999*M")
    read = read_claims(data)
    assert {fault.claim_id for fault in read.refused} == {"", "C-2"}
    assert [claim.claim_id for claim in read.batches[0].claims] == ["C-1", "C-3"]


def test_a_file_of_many_claims_is_split_into_transactions():
    line = (replace(LINES[0], diagnoses=(1,)),)
    small = Claim("X", 10050, CLINIC, ANN, PAYER, ("E119",), line)
    claims = tuple(replace(small, claim_id=f"C{n}") for n in range(5001))
    data = write_claims(TO_PAYER, replace(BATCH, claims=claims))
    read = read_claims(data)
    assert read.refused == ()
    assert [len(batch.claims) for batch in read.batches] == [5000, 1]
    assert [batch.reference for batch in read.batches] == ["B1", "B1-2"]
    assert [claim for batch in read.batches for claim in batch.claims] == list(claims)


def test_npi_of_the_sample_is_one_with_a_right_check_digit():
    from polyclinic.standards.x12.professional_claim.checks import is_npi

    assert is_npi(NPI)
    assert not any(is_npi(NPI[:9] + digit) for digit in "012456789")
