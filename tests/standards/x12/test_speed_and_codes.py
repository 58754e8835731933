"""Reading keeps far ahead of posting, and the words for codes are ours."""

import time
from dataclasses import replace

from x12_samples import PAID, REMITTANCE, TO_CLINIC

from polyclinic.standards.x12 import codes
from polyclinic.standards.x12.remittance import read_remittances, write_remittances

LINES_A_SECOND_AIM = 5_000  # posting wants 1,000 with the database; reading may take a fifth of it


def test_reading_a_remittance_costs_at_most_a_fifth_of_posting_it():
    claims = tuple(replace(PAID, claim_id=f"C-{n}") for n in range(1000))
    paid = sum(claim.paid for claim in claims)
    whole = replace(REMITTANCE, claims=claims, provider_adjustments=(), paid=paid)
    data = write_remittances(TO_CLINIC, [whole])
    start = time.process_time()
    read = read_remittances(data)
    seconds = time.process_time() - start
    lines = sum(len(claim.lines) for claim in read.remittances[0].claims)
    assert lines == 2000
    # Five times the aim, so that a busy machine does not fail it.
    assert seconds < 5 * lines / LINES_A_SECOND_AIM


def test_a_code_without_words_of_ours_is_said_as_it_is():
    assert codes.say(codes.ADJUSTMENT_REASONS, "45") == "Above the agreed fee"
    assert codes.say(codes.ADJUSTMENT_REASONS, "9999") == "Code 9999"


def test_our_words_are_short_and_each_code_has_some():
    every = (
        codes.ADJUSTMENT_GROUPS, codes.ADJUSTMENT_REASONS, codes.REMARKS, codes.REMITTED_STATUSES,
        codes.CLAIM_STATUS_CATEGORIES, codes.CLAIM_STATUSES, codes.PROVIDER_ADJUSTMENTS,
        codes.PLACES_OF_SERVICE,
    )  # fmt: skip
    assert len(codes.ADJUSTMENT_REASONS) >= 60
    for words in every:
        assert all(0 < len(text) <= 50 and text[-1] != "." for text in words.values())
        assert len(set(words.values())) == len(words)
