"""Money, plans and pictures of bills as pure rules: exact to the cent, in the currency's way."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyclinic.foundation.errors import Invalid
from polyclinic.services.billing.domain import plans as agreed
from polyclinic.services.portal.domain import bill_plans
from polyclinic.services.portal.domain.bill_pictures import BAR_WIDTH, steps, whole
from polyclinic.services.portal.domain.bills import Line, Why
from polyclinic.services.portal.domain.money import Currency

DAY = date(2026, 11, 5)
PARTS = st.integers(0, 10**7)


@pytest.mark.parametrize(
    ("amount", "code", "words"),
    [
        (123_450, "USD", "$1,234.50"),
        (-4_200, "USD", "−$42.00"),
        (5, "USD", "$0.05"),
        (1_200, "JPY", "¥1,200"),
        (1_250, "KWD", "KWD\N{NO-BREAK SPACE}1.250"),
        (8_000, "CHF", "CHF\N{NO-BREAK SPACE}80.00"),
        (99, "EUR", "€0.99"),
    ],
)
def test_money_is_written_in_the_currencys_way(amount: int, code: str, words: str):
    assert Currency(code).words(amount) == words


@given(st.integers(1, 10**12), st.sampled_from(["USD", "JPY", "KWD", "EUR"]))
def test_what_a_field_shows_is_read_back_as_the_same_amount(amount: int, code: str):
    currency = Currency(code)
    if amount < 10**9:
        assert currency.read(currency.plain(amount)) == amount


@given(st.text(max_size=40))
def test_whatever_is_typed_is_an_amount_above_nothing_or_refused(typed: str):
    try:
        amount, place = Currency("USD").read(typed), "other"
    except Invalid as refused:
        amount, place = 1, refused.place
    assert amount > 0
    assert place == "other"


@given(PARTS, PARTS, PARTS, PARTS, PARTS)
def test_the_bar_is_full_and_nothing_that_is_there_is_invisible(
    insurance: int, contract: int, forgiven: int, waiting: int, share: int
):
    charged = insurance + contract + forgiven + waiting + share
    line = Line(
        day=DAY,
        charged=charged,
        insurance=insurance,
        contract=contract,
        forgiven=forgiven,
        waiting=waiting,
        share=share,
    )
    drawn = whole([line])
    shown = [piece for piece in drawn.pieces if piece.width]
    assert sum(piece.amount for piece in drawn.pieces) == charged
    assert sum(piece.width for piece in shown) == (BAR_WIDTH if charged else 0)
    assert all(piece.width >= 10 for piece in shown)
    down = [step for step in steps(line) if step.kind not in ("share", "paid", "left")]
    assert sum(step.amount for step in down) == share


@given(st.integers(2, 12), st.integers(100, 10**8), st.dates(date(2024, 1, 1), date(2030, 1, 1)))
def test_the_plan_that_is_shown_is_the_plan_that_billing_agrees_to(
    count: int, total: int, today: date
):
    first = bill_plans.first_day(today)
    shown = bill_plans.parts(total, count, first)
    made = agreed.parts(total, count, first, today)
    assert [(p.due, p.amount) for p in shown] == [(p.due, p.amount) for p in made]
    assert sum(p.amount for p in shown) == total


def test_several_reasons_have_each_its_amount_and_one_alone_has_none():
    both = Line(
        day=DAY,
        charged=10_000,
        insurance=6_100,
        share=3_900,
        why=(Why("PR", "2", 1_400), Why("PR", "3", 2_500)),
    )
    [*_, share] = steps(both)
    assert [amount for _, amount in share.why] == [2_500, 1_400]
    assert share.why[0][0].startswith("It is your copay")
    one = Line(day=DAY, charged=100, share=100, why=(Why("PR", "1", 100),))
    [*_, share] = steps(one)
    assert [amount for _, amount in share.why] == [0]


def test_a_reason_that_we_have_no_words_for_is_left_unsaid():
    line = Line(day=DAY, charged=100, insurance=40, share=60, why=(Why("PR", "999", 60),))
    [*_, share] = steps(line)
    assert share.why == ()
