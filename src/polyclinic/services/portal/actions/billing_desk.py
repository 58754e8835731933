"""What billing's staff see and do: queues, coding, claims, the ledger's days, money at the desk."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from itertools import groupby

from polyclinic.foundation.errors import Forbidden, NotFound, Problem
from polyclinic.services.portal.actions.people import People, people
from polyclinic.services.portal.actions.state import Portal, answered
from polyclinic.services.portal.domain.billing_work import (
    Account,
    Body,
    Claim,
    Claims,
    Coverage,
    Day,
    Payer,
    Payment,
    Proof,
    Queues,
    Schedule,
    Visit,
)
from polyclinic.services.portal.domain.session import Session
from polyclinic.services.portal.gateways.billing_desk import NAME

PAGE = "50"
ITEM_VERBS = ("take", "release", "done")


@dataclass(frozen=True)
class Named:
    """Who and which insurer stand behind references, as far as others told."""

    people: People
    payers: Mapping[str, Payer] = field(default_factory=dict[str, Payer])
    is_without_records: bool = False

    def who(self, patient: str | None) -> str:
        """KELLER, Maria; the id where nobody tells the name."""
        if not patient:
            return ""
        known = self.people.patients.get(patient)
        return known.formal if known else patient.partition("/")[2]

    def payer(self, payer: str | None) -> str:
        known = self.payers.get(payer or "")
        return known.name if known else payer or ""

    def clinician(self, reference: str) -> str:
        return self.people.clinicians.get(reference, "") or reference.partition("/")[2]


@dataclass(frozen=True)
class Coding:
    """A visit to be coded: what can be chosen, and who pays."""

    visit: Visit
    named: Named
    fees: Schedule | None
    coverages: list[Coverage]
    has_coverages: bool


@dataclass(frozen=True)
class Ledger:
    """The closed days, the next one to close, and whether everything adds up."""

    days: list[Day]
    proof: Proof


async def open_queue(
    portal: Portal, session: Session, asked: dict[str, str]
) -> tuple[Queues, Named]:
    work = portal.billing_desk.work(session.tokens.access, {**asked, "limit": PAGE})
    found = await answered(portal, NAME, work)
    return found, await name_all(portal, session, [item.patient for item in found.items])


async def on_item(
    portal: Portal, session: Session, item: str, verb: str, body: Body, turn: str
) -> None:
    """Takes an item, gives it back or closes it."""
    if verb not in ITEM_VERBS:
        raise NotFound("There is no such step.")
    await tell(portal, session, f"{verb}-{item}-{turn}", f"/work/{item}/{verb}", body)


async def submit_all(
    portal: Portal, session: Session, wanted: list[str], turn: str
) -> tuple[int, list[tuple[str, str]]]:
    """Checks each claim, sends what passes; how many went, and why the others stayed."""
    token = session.tokens.access
    passed: list[tuple[str, str]] = []
    stayed: list[tuple[str, str]] = []
    for name in wanted:
        claim = await answered(portal, NAME, portal.billing_desk.claim(token, name))
        try:
            key = f"check-{name}-{turn}"
            said = await tell(portal, session, key, f"/claims/{name}/check", {})
        except Problem as refused:
            stayed.append((name, refused.message))
            continue
        if said.get("failed"):
            stayed.append((name, "Something is missing; it waits in Held now."))
        else:
            passed.append((claim.payer, name))
    sent = 0
    for payer, group in groupby(sorted(passed), key=lambda pair: pair[0]):
        names = [name for _, name in group]
        try:
            key = f"submit-{payer}-{turn}"
            await tell(portal, session, key, "/submissions", {"claims": names})
        except Problem as refused:
            stayed += [(name, refused.message) for name in names]
        else:
            sent += len(names)
    return sent, stayed


async def open_coding(portal: Portal, session: Session, visit: str) -> Coding:
    token = session.tokens.access
    found = await answered(portal, NAME, portal.billing_desk.visit(token, visit))
    fees, coverages, named = await asyncio.gather(
        _prices(portal, token, found.day),
        _coverages(portal, token, found.patient),
        name_all(portal, session, [found.patient], [found.practitioner]),
    )
    listed = [each for each in coverages or () if each.is_valid_on(found.day)]
    listed.sort(key=lambda each: each.rank)
    return Coding(found, named, fees, listed, coverages is not None)


async def visit_of(portal: Portal, session: Session, body: Body) -> str:
    """Billing's own visit for an appointment; the same one however often it is asked for."""
    key = f"visit-{body['appointment']}"
    return str((await tell(portal, session, key, "/visits", body))["visit"])


async def open_claims(
    portal: Portal, session: Session, asked: dict[str, str]
) -> tuple[Claims, Named]:
    work = portal.billing_desk.claims(session.tokens.access, {**asked, "limit": PAGE})
    found = await answered(portal, NAME, work)
    return found, await name_all(portal, session, [claim.patient for claim in found.claims])


async def open_claim(portal: Portal, session: Session, claim: str) -> tuple[Claim, Named]:
    work = portal.billing_desk.claim(session.tokens.access, claim)
    found = await answered(portal, NAME, work)
    return found, await name_all(portal, session, [found.patient], [found.practitioner])


async def open_ledger(portal: Portal, session: Session) -> Ledger:
    token = session.tokens.access
    days, proof = await asyncio.gather(
        answered(portal, NAME, portal.billing_desk.days(token)),
        answered(portal, NAME, portal.billing_desk.proof(token)),
    )
    return Ledger(sorted(days, key=lambda each: each.day, reverse=True), proof)


async def open_account(portal: Portal, session: Session, patient: str) -> tuple[Account, Named]:
    work = portal.billing_desk.account(session.tokens.access, patient)
    found = await answered(portal, NAME, work)
    return found, await name_all(portal, session, [patient])


async def open_payment(portal: Portal, session: Session, payment: str) -> tuple[Payment, Named]:
    work = portal.billing_desk.payment(session.tokens.access, payment)
    found = await answered(portal, NAME, work)
    return found, await name_all(portal, session, [found.patient])


async def name_all(
    portal: Portal, session: Session, patients: Iterable[str | None], clinicians: Iterable[str] = ()
) -> Named:
    """Names from records, insurers from billing; without records ids stand for names."""
    token = session.tokens.access
    has_records = portal.has("records")
    named, payers = await asyncio.gather(
        people(portal, token, filter(None, clinicians), filter(None, patients))
        if has_records
        else _nobody(),
        _payers(portal, token),
    )
    return Named(named, payers, is_without_records=not has_records)


async def tell(portal: Portal, session: Session, key: str, path: str, body: Body) -> Body:
    """One change at billing's door, once for each key."""
    work = portal.billing_desk.tell(session.tokens.access, key[:200], path, body)
    return await answered(portal, NAME, work)


async def _nobody() -> People:
    return People()


async def _payers(portal: Portal, token: str) -> dict[str, Payer]:
    try:
        found = await answered(portal, NAME, portal.billing_desk.payers(token))
    except Forbidden:
        return {}
    return {each.id: each for each in found}


async def _coverages(portal: Portal, token: str, patient: str) -> list[Coverage] | None:
    """None where this person may not see them, as clinicians may not."""
    try:
        return await answered(portal, NAME, portal.billing_desk.coverages(token, patient))
    except (Forbidden, NotFound):
        return None


async def _prices(portal: Portal, token: str, day: date) -> Schedule | None:
    """The clinic's own list that is valid on the day."""
    listed = await answered(portal, NAME, portal.billing_desk.schedules(token))
    own = [each for each in listed if each.payer is None and each.is_valid_on(day)]
    if not own:
        return None
    return await answered(portal, NAME, portal.billing_desk.schedule(token, own[0].id))
