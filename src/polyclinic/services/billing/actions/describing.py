"""A claim as X12 wants it, put together from visit, person, insurance and settings."""

from dataclasses import dataclass

from polyclinic.services.billing.actions import opened
from polyclinic.services.billing.actions.opened import Where
from polyclinic.services.billing.actions.state import Books
from polyclinic.services.billing.domain import x12_claim
from polyclinic.services.billing.domain.charges import ABORTED, Charge, Visit
from polyclinic.services.billing.domain.checking import Checked, check
from polyclinic.services.billing.domain.claims import Claim, Finding
from polyclinic.services.billing.domain.coverage import Coverage
from polyclinic.services.billing.domain.payers import Payer, Rules
from polyclinic.services.billing.domain.people import Person
from polyclinic.services.billing.domain.problems import NotYours
from polyclinic.services.billing.domain.x12_claim import Clinic, Parts, Provider
from polyclinic.services.billing.store import claims, payers
from polyclinic.standards.x12.professional_claim import Claim as X12Claim


@dataclass(frozen=True, slots=True)
class Described:
    """A claim with all that belongs to it; `x12` is none while something is missing."""

    claim: Claim
    visit: Visit
    lines: tuple[tuple[int, Charge], ...]
    coverage: Coverage | None
    person: Person | None
    payer: Payer | None
    provider: Provider | None
    x12: X12Claim | None
    missing: tuple[tuple[str, str], ...]


async def describe(books: Books, claim: Claim, where: Where | None = None) -> Described:
    """Everything about one claim, opened; the caller checks who asks and logs it."""
    source = where or books.running.database
    visit = await opened.visit(books, claim.visit, source)
    if visit is None:
        raise NotYours
    rows = (await claims.lines(source, [claim.id]))[claim.id]
    known = {each.id: each for each in await opened.charges_of_visit(books, visit.id, source)}
    charges = [(row.line, known[row.charge]) for row in rows]
    lines = tuple((n, charge) for n, charge in charges if charge.status != ABORTED)
    found = await claims.provider(source, visit.practitioner)
    authorization = await _authorization(books, claim, source)
    parts = Parts(
        claim,
        visit,
        lines,
        (await opened.persons(books, [claim.patient], source)).get(claim.patient),
        await opened.coverage(books, claim.coverage, source),
        await payers.find(source, claim.payer),
        Provider(*found) if found is not None else None,
        clinic(books),
        authorization,
    )
    missing = tuple(x12_claim.missing(parts))
    return Described(
        claim, visit, lines, parts.coverage, parts.person, parts.payer, parts.provider,
        None if missing else x12_claim.written(parts), missing,
    )  # fmt: skip


async def _authorization(books: Books, claim: Claim, where: Where) -> str:
    _, sealed = await claims.sealed(where, claim.id)
    if sealed is None:
        return ""
    return await books.unseal(("claim-authorization", str(claim.id)), sealed, str)


def findings(books: Books, what: Described) -> tuple[Finding, ...]:
    """What each rule says of it today."""
    coverage = what.coverage
    return check(
        Checked(
            what.x12,
            what.missing,
            what.payer.rules if what.payer else Rules(),
            what.visit.day,
            coverage.from_day if coverage else None,
            coverage.until_day if coverage else None,
            books.today(),
        )
    )


def clinic(books: Books) -> Clinic:
    return Clinic(
        books.settings.clinic_name,
        books.settings.clinic_npi,
        books.settings.clinic_tax_id,
        books.settings.clinic_address,
        books.settings.clinic_telephone,
    )
