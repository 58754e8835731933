"""Envelopes: nothing is lost on the way through, and a fault spoils only what it stands in."""

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from x12_samples import BATCH, PLAIN, TO_PAYER, claims_file, remittance_file

from polyclinic.standards.x12.acknowledge import read_acknowledgments, read_claim_reports
from polyclinic.standards.x12.elements import segment
from polyclinic.standards.x12.envelope import (
    good_transactions,
    parse,
    parse_all,
    refusals,
    wrap,
    write,
)
from polyclinic.standards.x12.professional_claim import read_claims, write_claims
from polyclinic.standards.x12.refused import Refused
from polyclinic.standards.x12.remittance import read_remittances
from polyclinic.standards.x12.tokens import Segment

MARKS = "!\"#$%&'()*+,/:;<=>?@[\\]^_`{|}~\t\x1c\x1d\x1e\x1f"


def with_separators(data, element, repetition, component, terminator, line_end=b""):
    """A file of ours in another's marks; none of ours stands in its texts."""
    marks = (element + repetition + component + terminator).encode("latin-1")
    end = terminator.encode("latin-1")
    return data.translate(bytes.maketrans(b"*^:~", marks)).replace(end, end + line_end)


@given(
    st.lists(st.sampled_from(MARKS), min_size=4, max_size=4, unique=True),
    st.sampled_from([b"", b"\n", b"\r\n", b" \r\n\r\n"]),
)
def test_a_file_in_any_separators_comes_out_as_it_went_in_and_says_the_same(marks, line_end):
    data = with_separators(claims_file(), *marks, line_end)
    interchange = parse(data)
    assert refusals(interchange) == ()
    assert write(interchange) == data
    assert read_claims(data).batches == (BATCH,)


@pytest.mark.parametrize("terminator", ["\n", "\r"])
def test_a_line_end_may_be_the_terminator(terminator):
    data = with_separators(remittance_file(), "*", "^", ":", terminator)
    assert write(parse(data)) == data
    assert len(read_remittances(data).remittances) == 1


def test_a_carriage_return_and_line_feed_as_terminator_come_out_as_they_went_in():
    data = claims_file().replace(b"~", b"\r\n")
    assert write(parse(data)) == data


def test_positions_are_segment_numbers_and_byte_offsets():
    data = claims_file().replace(b"~", b"~\r\n")
    for each in parse(data).segments():
        assert data[each.position.offset :].startswith(each.tag.encode())
    assert [each.position.segment for each in parse(data).segments()] == list(
        range(1, data.count(b"~") + 1)
    )


@given(
    st.lists(
        st.lists(
            st.text(
                st.characters(codec="latin-1", exclude_characters="*~^:", exclude_categories=["C"])
            ),
            max_size=12,
        ),
        max_size=20,
    )
)
def test_any_segments_survive_writing_and_reading(rows):
    body = [segment("ST", "999"), *(Segment("MSG", tuple(row)) for row in rows)]
    interchange = wrap(TO_PAYER, "FA", "005010X231A1", [body])
    read = parse(write(interchange))
    assert read == interchange
    assert write(read) == write(interchange)


@given(st.sampled_from("*~"), st.text(max_size=5))
def test_a_value_that_would_end_its_segment_is_not_written(mark, text):
    body = [segment("ST", "999"), Segment("MSG", (text + mark,))]
    with pytest.raises(Refused, match="IK403-6"):
        write(wrap(TO_PAYER, "FA", "005010X231A1", [body]))


def three_transactions():
    body = [segment("ST", "835"), segment("BPR", "I", "0", "C", "NON")]
    return write(wrap(TO_PAYER, "HP", "005010X221A1", [body] * 3))


def test_a_bad_transaction_does_not_spoil_its_neighbours():
    data = three_transactions().replace(b"SE*3*0002", b"SE*9*0002")
    interchange = parse(data)
    good = [each.control_number for _, each in good_transactions(interchange)]
    assert good == ["0001", "0003"]
    (fault,) = refusals(interchange)
    assert (fault.code, fault.segment, fault.element, fault.position.segment) == (
        "IK502-4", "SE", 1, 8,
    )  # fmt: skip
    assert data[fault.position.offset :].startswith(b"SE*9*0002")


def test_a_control_character_spoils_only_its_own_transaction():
    interchange = parse(three_transactions().replace(b"NON", b"N\x00N", 1))
    assert [each.control_number for _, each in good_transactions(interchange)] == ["0002", "0003"]
    assert [fault.code for fault in refusals(interchange)] == ["IK403-6"]


def test_several_interchanges_stand_in_one_file_each_in_its_own_marks():
    other = with_separators(remittance_file(), "|", "!", ">", "\n")
    data = claims_file() + b"\r\n" + other
    found = parse_all(data)
    assert b"".join(map(write, found)) == data
    assert not any(map(refusals, found))
    with pytest.raises(Refused, match="second interchange"):
        parse(data)


def test_a_file_above_the_limit_is_not_looked_at():
    with pytest.raises(Refused, match="SIZE"):
        parse(claims_file() + b" " * (32 << 20))


def test_a_control_number_beyond_nine_digits_is_not_written():
    for number in (0, -1, 10**9):
        with pytest.raises(Refused, match="TA105-018"):
            write_claims(replace(TO_PAYER, control_number=number), BATCH)
    assert write_claims(replace(TO_PAYER, control_number=10**9 - 1), BATCH)


READERS = (parse_all, read_claims, read_remittances, read_acknowledgments, read_claim_reports)


def refuses_or_reads(data):
    for reader in READERS:
        found = None
        try:
            reader(data)
        except Refused as fault:
            found = fault
        assert found is None or (found.code and found.text)


def garbage(seed, count):
    """Random bytes, random marks behind a good ISA, and good files with bytes knocked over."""
    rng = random.Random(seed)
    good = [claims_file(), remittance_file()]
    for number in range(count):
        kind = number % 4
        data = bytearray(rng.choice(good))
        if kind == 0:
            yield rng.randbytes(rng.randrange(300))
        elif kind == 1:
            yield bytes(data[:106]) + bytes(rng.choices(b"STGESEHLCLM*~:^0123 \x00\xff", k=200))
        elif kind == 2:
            for _ in range(rng.randrange(1, 6)):
                data[rng.randrange(len(data))] = rng.randrange(256)
            yield bytes(data)
        else:
            pieces = bytes(data).split(b"~")
            rng.shuffle(pieces)
            yield data[:106] + b"~".join(pieces)


def test_a_thousand_broken_files_are_refused_or_read_and_nothing_else():
    for data in garbage(1, 1_000):
        refuses_or_reads(bytes(data))


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_a_hundred_thousand_broken_files_are_refused_or_read_and_nothing_else(record_property):
    for data in garbage(2, 100_000):
        refuses_or_reads(bytes(data))
    record_property("broken files", 100_000)


@settings(max_examples=300)
@given(st.binary(max_size=400))
def test_no_bytes_raise_anything_but_a_refusal(data):
    refuses_or_reads(data)
    refuses_or_reads(claims_file()[:106] + data)


def test_a_refusal_says_its_place_and_carries_no_value_of_the_file():
    data = claims_file().replace(b"*19800102*", b"*1980SECRET*")
    for fault in read_claims(data).refused:
        assert "SECRET" not in str(fault)
    assert str(read_claims(data).refused[0]).startswith("Segment 19 at byte ")
    assert PLAIN.claim_id in {fault.claim_id for fault in read_claims(data).refused}
