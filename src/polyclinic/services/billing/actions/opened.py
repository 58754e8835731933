"""Opens what the stores keep sealed: persons, coverages, visits and charges as values."""

from collections.abc import Sequence
from uuid import UUID

from polyclinic.foundation.database import Database, Row, Transaction
from polyclinic.services.billing.actions.state import Books
from polyclinic.services.billing.domain.charges import Charge, Detail, Visit
from polyclinic.services.billing.domain.coverage import Coverage, Member, Terms
from polyclinic.services.billing.domain.people import Person
from polyclinic.services.billing.store import charges as charge_rows
from polyclinic.services.billing.store import coverages as coverage_rows
from polyclinic.services.billing.store import people as person_rows
from polyclinic.services.billing.store import visits as visit_rows

Where = Database | Transaction


async def persons(
    books: Books, patients: Sequence[str], where: Where | None = None
) -> dict[str, Person]:
    """Those whom billing knows, by patient reference."""
    sealed = await person_rows.find(where or books.running.database, patients)
    opened = await books.unseal_all([(("person", k), v) for k, v in sealed.items()], Person)
    return dict(zip(sealed, opened, strict=True))


async def coverages(books: Books, rows: Sequence[Row]) -> list[Coverage]:
    sealed = [(("coverage", str(row["id"])), row["sealed"]) for row in rows]
    members = await books.unseal_all(sealed, Member)
    return [_coverage(row, member) for row, member in zip(rows, members, strict=True)]


async def coverage(books: Books, wanted: UUID, where: Where | None = None) -> Coverage | None:
    row = await coverage_rows.find(where or books.running.database, wanted)
    return None if row is None else (await coverages(books, [row]))[0]


async def visits(books: Books, rows: Sequence[Row]) -> list[Visit]:
    coded = [row for row in rows if row["diagnoses"] is not None]
    sealed = [(("visit", str(row["id"])), row["diagnoses"]) for row in coded]
    opened = await books.unseal_all(sealed, tuple[str, ...])
    diagnoses = {row["id"]: codes for row, codes in zip(coded, opened, strict=True)}
    return [_visit(row, diagnoses.get(row["id"], ())) for row in rows]


async def visit(books: Books, wanted: UUID, where: Where | None = None) -> Visit | None:
    row = await visit_rows.find(where or books.running.database, wanted)
    return None if row is None else (await visits(books, [row]))[0]


async def charges(books: Books, rows: Sequence[Row]) -> list[Charge]:
    sealed = [(("charge", str(row["id"])), row["sealed"]) for row in rows]
    details = await books.unseal_all(sealed, Detail)
    return [_charge(row, detail) for row, detail in zip(rows, details, strict=True)]


async def charges_of_visit(books: Books, wanted: UUID, where: Where | None = None) -> list[Charge]:
    """In the order of lines, aborted ones too."""
    rows = await charge_rows.of_visit(where or books.running.database, wanted)
    return await charges(books, rows)


def _coverage(row: Row, member: Member) -> Coverage:
    terms = Terms(
        row["copay"], row["deductible_left"], row["coinsurance_bp"], row["out_of_pocket_left"]
    )
    return Coverage(
        row["id"], row["patient"], row["payer"], row["rank"], row["from_day"], row["until_day"],
        member, terms, row["ended"],
    )  # fmt: skip


def _visit(row: Row, diagnoses: tuple[str, ...]) -> Visit:
    return Visit(
        row["id"], row["source"], row["patient"], row["practitioner"], row["day"], row["status"],
        row["coverage"], diagnoses, row["encounter"],
    )  # fmt: skip


def _charge(row: Row, detail: Detail) -> Charge:
    return Charge(
        row["id"], row["visit"], row["line"], row["patient"], row["day"], row["amount"],
        row["units"], row["currency"], row["status"], detail,
    )  # fmt: skip
