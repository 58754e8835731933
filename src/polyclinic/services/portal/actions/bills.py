"""A patient's bills: what is owed and why, paying by card, receipts, plans and estimates."""

import asyncio
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from typing import TypeVar

from polyclinic.foundation.errors import Invalid, Unavailable
from polyclinic.services.portal.actions import state
from polyclinic.services.portal.actions.state import Portal
from polyclinic.services.portal.domain import bill_plans
from polyclinic.services.portal.domain import bills as rules
from polyclinic.services.portal.domain.bills import (
    Estimate,
    Money,
    Owed,
    Part,
    Payment,
    Plan,
    Statement,
)
from polyclinic.services.portal.domain.session import Session, new_secret
from polyclinic.services.portal.gateways.billing import NAME, Agreed, CardsSilent, Started, Wanted

T = TypeVar("T")


@dataclass(frozen=True)
class Summary:
    """What a first page says of bills."""

    money: Money
    due: date | None
    plan: Plan | None


@dataclass(frozen=True)
class Bills:
    """Everything about a patient's bills."""

    owed: Owed
    payments: tuple[Payment, ...]
    statements: tuple[Statement, ...]
    plan: Plan | None
    estimates: tuple[Estimate, ...]

    @property
    def due(self) -> date | None:
        return rules.due(self.statements)


@dataclass(frozen=True)
class Offer:
    """A payment plan before it is agreed."""

    total: int
    currency: str
    count: int
    first_day: date
    parts: Sequence[Part]
    choices: range


async def answered(portal: Portal, work: Awaitable[T]) -> T:
    """What billing answers; a silent card company behind it is no outage of billing."""
    try:
        return await state.answered(portal, NAME, work)
    except CardsSilent:
        portal.outages.answered(NAME)
        raise


async def overview(portal: Portal, session: Session) -> Bills:
    token = session.tokens.access
    billing = portal.billing
    owed, money, statements, plans, estimates = await answered(
        portal,
        asyncio.gather(
            billing.owed(token),
            billing.money(token),
            billing.statements(token),
            billing.plans(token),
            billing.estimates(token, session.person or ""),
        ),
    )
    return Bills(owed, money.payments, statements, rules.active(plans), estimates)


async def summary(portal: Portal, session: Session) -> Summary | None:
    """None while billing does not answer."""
    token = session.tokens.access
    billing = portal.billing
    work = asyncio.gather(billing.money(token), billing.statements(token), billing.plans(token))
    try:
        money, statements, plans = await answered(portal, work)
    except Unavailable:
        return None
    return Summary(money, rules.due(statements), rules.active(plans))


async def money(portal: Portal, session: Session) -> Money:
    return await answered(portal, portal.billing.money(session.tokens.access))


async def statement(portal: Portal, session: Session, name: str) -> tuple[Statement, Money]:
    """One bill as it was sent, and what is owed by now."""
    token = session.tokens.access
    work = asyncio.gather(portal.billing.statement(token, name), portal.billing.money(token))
    return await answered(portal, work)


async def statement_pdf(portal: Portal, session: Session, name: str) -> bytes:
    return await answered(portal, portal.billing.statement_pdf(session.tokens.access, name))


async def receipt_pdf(portal: Portal, session: Session, name: str) -> bytes:
    return await answered(portal, portal.billing.receipt_pdf(session.tokens.access, name))


async def pay(portal: Portal, session: Session, wanted: Wanted, turn: str) -> Started:
    """Begins a card payment, once for each drawn page however often its button is pressed."""
    work = portal.billing.pay(session.tokens.access, f"pay-{turn[:60]}", wanted)
    return await answered(portal, work)


async def payment(portal: Portal, session: Session, name: str, *, asks: bool = False) -> Payment:
    """One payment; `asks` the card gateway first how it stands."""
    token = session.tokens.access
    if asks:
        # Without the gateway's word the page shows what was known before.
        with suppress(Unavailable):
            await portal.billing.settle(token, f"look-{new_secret()}", name)
    try:
        return await answered(portal, portal.billing.payment(token, name))
    except CardsSilent:
        # The way to the card page is the card company's to say; the rest is in our own list.
        return rules.of_id((await money(portal, session)).payments, name)


async def came_back(portal: Portal, session: Session) -> Payment | None:
    """The payment that somebody who comes from the card page has just been at."""
    last = rules.last_by_card(await money(portal, session))
    if last is None or not (last.is_open or last.status == rules.PROCESSING):
        return last
    return await payment(portal, session, last.id, asks=True)


async def plan(portal: Portal, session: Session) -> tuple[Plan | None, Money]:
    """The plan that is being paid, and what is owed."""
    token = session.tokens.access
    work = asyncio.gather(portal.billing.plans(token), portal.billing.money(token))
    plans, owed = await answered(portal, work)
    return rules.active(plans), owed


def offer(portal: Portal, owed: Money, asked: str) -> Offer | None:
    """All that is owed in so many parts; None where it is too little to be split."""
    choices = bill_plans.choices(owed.owed)
    if not choices:
        return None
    count = int(asked) if asked.isdecimal() and len(asked) < 3 and int(asked) in choices else 0
    count = count or choices[min(1, len(choices) - 1)]
    first = bill_plans.first_day(portal.today())
    made = bill_plans.parts(owed.owed, count, first)
    return Offer(owed.owed, owed.currency, count, first, made, choices)


async def agree(portal: Portal, session: Session, given: dict[str, str]) -> Plan:
    """Begins exactly the plan that was shown; raises NotAccepted when what is owed has changed."""
    try:
        first = date.fromisoformat(given.get("first", ""))
        agreed = Agreed(total=int(given["total"]), parts=int(given["parts"]), first_day=first)
    except (KeyError, ValueError) as bad:
        raise Invalid("Choose in how many parts you would like to pay.", place="parts") from bad
    key = f"plan-{given.get('turn', '')[:60]}"
    return await answered(portal, portal.billing.agree(session.tokens.access, key, agreed))


async def end_plan(portal: Portal, session: Session, name: str) -> None:
    # One plan ends once: its own id is the try's name.
    work = portal.billing.end_plan(session.tokens.access, f"end-{name}", name)
    await answered(portal, work)


async def estimate(portal: Portal, session: Session, name: str) -> Estimate:
    return await answered(portal, portal.billing.estimate(session.tokens.access, name))
