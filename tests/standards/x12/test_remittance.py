"""Remittances: whole and balanced to the cent, or refused."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from x12_samples import NPI, PAID, REMITTANCE, TAKEN_BACK, TO_CLINIC, recounted, remittance_file

from polyclinic.standards.x12.elements import read_amount, write_amount
from polyclinic.standards.x12.refused import Refused
from polyclinic.standards.x12.remittance import (
    Adjustment,
    ClaimPayment,
    Procedure,
    ProviderAdjustment,
    ServicePayment,
    read_remittances,
    write_remittances,
)
from polyclinic.standards.x12.tokens import Segment

amounts = st.integers(-(10**9), 10**9)
codes = st.text("ABCDEFGH0123456789-", min_size=1, max_size=12)
days = st.dates(date(1990, 1, 1), date(2060, 1, 1))
adjustments = st.builds(
    Adjustment, st.sampled_from(["CO", "CR", "OA", "PI", "PR"]), st.sampled_from(["1", "45", "A1"]),
    amounts, st.none() | st.decimals(-999, 999, places=2),
)  # fmt: skip
procedures = st.builds(
    Procedure, codes, st.lists(st.sampled_from(["25", "LT", "59"]), max_size=4).map(tuple)
)


@st.composite
def services(draw):
    off = draw(st.lists(adjustments, max_size=8).map(tuple))
    charge = draw(st.integers(0, 10**9))
    return ServicePayment(
        draw(procedures), charge, charge - sum(each.amount for each in off),
        draw(st.decimals(0, 999, places=1)), draw(st.none() | procedures),
        draw(st.none() | st.decimals(0, 999, places=1)), draw(days), draw(st.none() | days),
        draw(st.just("") | codes), draw(st.none() | amounts), off,
        tuple(draw(st.lists(st.sampled_from(["N130", "M15"]), max_size=3))),
    )  # fmt: skip


@st.composite
def any_claims(draw):
    lines = tuple(draw(st.lists(services(), max_size=3)))
    off = draw(st.lists(adjustments, max_size=7).map(tuple))
    charge = sum(line.charge for line in lines) if lines else draw(st.integers(0, 10**9))
    taken = sum(each.amount for each in (*off, *(a for line in lines for a in line.adjustments)))
    if charge < taken:  # a payment is never negative: the rest is taken off the other way
        off, taken = (*off, Adjustment("OA", "A1", charge - taken)), charge
    return ClaimPayment(
        draw(codes), draw(st.sampled_from(["1", "2", "3", "4", "19"])), charge, charge - taken,
        draw(st.integers(0, 10**6)), "12", draw(codes), "11", "1", draw(st.just("") | codes),
        adjustments=off, lines=lines, service_from=draw(st.none() | days),
        remarks=tuple(draw(st.lists(st.sampled_from(["MA04", "N4"]), max_size=5))),
    )  # fmt: skip


@settings(max_examples=50)
@given(
    st.lists(any_claims(), max_size=4),
    st.lists(st.builds(ProviderAdjustment, codes, days, st.sampled_from(["WO", "FB"]), codes,
                       amounts), max_size=8),
)  # fmt: skip
def test_any_balanced_remittance_is_read_back_as_it_was_written(claims, others):
    paid = sum(claim.paid for claim in claims) - sum(each.amount for each in others)
    whole = replace(REMITTANCE, claims=tuple(claims), provider_adjustments=tuple(others), paid=paid)
    read = read_remittances(write_remittances(TO_CLINIC, [whole]))
    assert read.refused == ()
    assert read.remittances == (whole,)


@settings(max_examples=50)
@given(st.lists(any_claims(), min_size=1, max_size=3), st.integers(1, 10**6))
def test_a_payment_that_is_wrong_by_any_amount_is_refused(claims, wrong_by):
    paid = sum(claim.paid for claim in claims) + wrong_by
    whole = replace(REMITTANCE, claims=tuple(claims), provider_adjustments=(), paid=paid)
    with pytest.raises(Refused, match="BAL-BPR02"):
        write_remittances(TO_CLINIC, [whole])


def test_the_sample_is_read_back_with_its_numbers_in_the_file():
    (read,) = read_remittances(remittance_file()).remittances
    assert read == REMITTANCE
    assert (read.control_number, read.group_control_number) == ("0001", "1")
    assert read.claims[0].lines[1].claimed == Procedure("X0002")
    assert read.claims[2].is_reversal


def test_of_several_remittances_only_the_bad_one_is_refused():
    other = replace(REMITTANCE, trace_number="CHECK2")
    data = write_remittances(TO_CLINIC, [REMITTANCE, other, REMITTANCE])
    first, second = data.split(b"CHECK2")
    read = read_remittances(
        first + b"CHECK2" + second.replace(b"CLP*C-1*1*150.5*", b"CLP*C-1*1*1*", 1)
    )
    assert [each.trace_number for each in read.remittances] == ["CHECK1", "CHECK1"]
    assert {fault.claim_id for fault in read.refused} == {"C-1"}


def test_every_fault_of_a_remittance_is_named_not_the_first_only():
    data = remittance_file().replace(b"*55.5*", b"*55.51*").replace(b"*29*30~", b"*29*31~")
    codes_found = [(fault.code, fault.claim_id) for fault in read_remittances(data).refused]
    assert codes_found == [("BAL-SVC03", "C-1"), ("BAL-CLP04", "C-2")]


def test_a_payment_to_somebody_else_is_refused_only_when_we_say_who_we_are():
    data = remittance_file()
    assert read_remittances(data).remittances
    assert read_remittances(data, payees={NPI}).remittances
    assert read_remittances(data, payees={"123456789"}).remittances
    read = read_remittances(data, payees={"1999999984"})
    assert read.remittances == ()
    assert [(fault.code, fault.segment, fault.element) for fault in read.refused] == [
        ("PAYEE", "N1", 4)
    ]


def test_a_reversal_with_amounts_that_are_not_negative_is_refused():
    for change in ({"charge": 8000, "paid": 10000}, {"charge": -8000, "paid": 6000}):
        claim = replace(TAKEN_BACK, **change)
        whole = replace(REMITTANCE, claims=(claim,), provider_adjustments=(), paid=claim.paid)
        with pytest.raises(Refused, match="BAL"):
            write_remittances(TO_CLINIC, [whole])


def test_a_debit_takes_money_back_from_us():
    whole = replace(REMITTANCE, claims=(TAKEN_BACK,), provider_adjustments=(), paid=-6000)
    data = write_remittances(TO_CLINIC, [whole])
    assert b"BPR*I*60*D*" in data
    assert read_remittances(data).remittances == (whole,)


def test_names_in_utf_8_or_latin_1_are_read_as_people_read_them():
    for encoding in ("utf-8", "latin-1"):
        data = remittance_file().replace(b"*Ann*", "*Zoë*".encode(encoding))
        assert read_remittances(data).remittances[0].claims[0].patient_first_name == "Zoë"


def test_a_payer_that_leaves_the_date_out_pays_on_the_day_of_its_file():
    data = remittance_file().replace(b"*20260120~", b"~").replace(b"***********~", b"~")
    assert read_remittances(data).remittances[0].payment_date == REMITTANCE.production_date
    bare = recounted(data.replace(b"DTM*405*20260119~", b""))
    assert read_remittances(bare).remittances[0].payment_date == date(2026, 1, 7)


def test_an_837_is_no_remittance():
    data = remittance_file().replace(b"ST*835", b"ST*837")
    assert [fault.code for fault in read_remittances(data).refused] == ["IK502-1"]


@given(st.integers(-(10**13) + 1, 10**13 - 1))
def test_any_amount_that_fits_is_carried_exactly_and_without_an_exponent(minor):
    text = write_amount(minor)
    assert "E" not in text.upper()
    assert Decimal(text) * 100 == minor
    assert read_amount(Segment("AMT", (text,)), 1) == minor


@pytest.mark.parametrize(
    ("text", "minor"),
    [("123.45", 12345), ("0", 0), (".5", 50), ("5.", 500), ("-0.05", -5), ("007", 700), ("", 0)],
)
def test_amounts_are_read_as_partners_write_them(text, minor):
    assert read_amount(Segment("AMT", (text,)), 1) == minor


@pytest.mark.parametrize(
    "text",
    ["1e5", "1E5", "NaN", "inf", "+1", "1,000", "1.234", "--1", "-", ".", "1 ", "٣", "1" * 17,
     "$5", "0x1", "1_000"],
)  # fmt: skip
def test_what_is_no_honest_amount_is_refused_with_its_place(text):
    with pytest.raises(Refused, match="AMT01"):
        read_amount(Segment("AMT", (text,)), 1)


def test_an_amount_that_no_ledger_holds_is_not_written():
    for minor in (10**13, -(10**13)):
        with pytest.raises(Refused, match="absurdly"):
            write_amount(minor)


def test_a_service_line_names_the_code_that_we_had_sent():
    assert PAID.lines[0].claimed == PAID.lines[0].procedure
    assert PAID.lines[1].claimed == PAID.lines[1].submitted
