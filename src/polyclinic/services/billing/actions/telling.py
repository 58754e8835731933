"""What the staff see of claims and files: lists, one claim with its history, a file's X12."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

import msgspec

from polyclinic.foundation.errors import Forbidden
from polyclinic.services.billing.actions.claiming import last_check
from polyclinic.services.billing.actions.describing import describe
from polyclinic.services.billing.actions.state import Asker, Books
from polyclinic.services.billing.domain import access
from polyclinic.services.billing.domain.claims import Claim
from polyclinic.services.billing.domain.ledger import payer_account
from polyclinic.services.billing.domain.people import is_patient
from polyclinic.services.billing.domain.problems import NotYours
from polyclinic.services.billing.store import claims, files, ledger, remittances
from polyclinic.services.billing.store.claims import Asked
from polyclinic.standards.x12.codes import ADJUSTMENT_REASONS, say


async def listed(books: Books, asker: Asker, asked: Asked) -> dict[str, Any]:
    """A page of claims, the newest first; nothing in it says what was done."""
    await _check(books, asker, "Claim", "s", [asked.patient] if is_patient(asked.patient) else [])
    found = await claims.listed(books.running.database, asked)
    counts: dict[str, int] = {}
    for each in found:
        counts[each.patient] = counts.get(each.patient, 0) + 1
    if counts:
        await books.log_read(asker, "Claim", counts)
    more = str(found[-1].id) if len(found) == asked.limit else None
    return {"claims": [shown(each) for each in found], "more": more}


def shown(claim: Claim) -> dict[str, Any]:
    return {
        "id": str(claim.id),
        "number": claim.number,
        "visit": str(claim.visit),
        "patient": claim.patient,
        "payer": claim.payer,
        "status": claim.status,
        "frequency": claim.frequency,
        "total": claim.total,
        "paid": claim.paid,
        "currency": claim.currency,
        "payer_number": claim.payer_number,
        "made": claim.made.isoformat(),
        "changed": claim.changed.isoformat(),
    }


async def claim(books: Books, asker: Asker, wanted: UUID) -> dict[str, Any]:
    """Everything about one claim: lines, findings, decisions, history, files, what is open."""
    database = books.running.database
    found = await claims.find(database, wanted)
    await _check(books, asker, "Claim", "r", [found.patient] if found else [])
    if found is None:
        raise NotYours("There is no such claim.", place="claim")
    what = await describe(books, found)
    await books.log_read(asker, "Claim", {found.patient: 1})
    return {
        **shown(found),
        "day": what.visit.day.isoformat(),
        "practitioner": what.visit.practitioner,
        "diagnoses": list(what.visit.diagnoses),
        "payer_name": what.payer.name if what.payer else found.payer,
        "member_id": what.coverage.member_id if what.coverage else "",
        "lines": [
            {
                "line": n,
                "charge": str(charge.id),
                "code": charge.detail.code,
                "title": charge.detail.title,
                "modifiers": list(charge.detail.modifiers),
                "pointers": list(charge.detail.pointers),
                "units": charge.units,
                "amount": charge.amount,
            }
            for n, charge in what.lines
        ],
        "findings": [msgspec.to_builtins(each) for each in await last_check(books, wanted)],
        "decisions": await _decisions(books, wanted),
        "history": await _history(books, found),
        "files": [file_shown(row) for row in await files.of_claim(database, wanted)],
        "open": await ledger.left_of_claim(database, payer_account(found.payer), wanted),
    }


async def _decisions(books: Books, wanted: UUID) -> list[dict[str, Any]]:
    rows = await remittances.of_claim(books.running.database, wanted)
    kind = list[tuple[str, str, int]]
    return [
        {
            "remittance": str(row["remittance"]),
            "day": row["day"].isoformat(),
            "charge": str(row["charge"]) if row["charge"] else None,
            "charged": row["charged"],
            "paid": row["paid"],
            "patient_share": row["patient_share"],
            "adjustments": [
                {"code": f"{g}-{r}", "text": say(ADJUSTMENT_REASONS, r), "amount": amount}
                for g, r, amount in msgspec.json.decode(row["adjustments"], type=kind)
            ],
        }
        for row in rows
    ]


async def _history(books: Books, found: Claim) -> list[dict[str, Any]]:
    rows = await claims.events(books.running.database, found.id)
    where = ("claim-note", str(found.id))
    noted = [row for row in rows if row["sealed"] is not None]
    notes = await books.unseal_all([(where, row["sealed"]) for row in noted], str)
    by_seq = {row["seq"]: note for row, note in zip(noted, notes, strict=True)}
    return [
        {
            "at": row["at"].isoformat(),
            "status": row["status"],
            "kind": row["kind"],
            "author": row["author"],
            "file": str(row["file"]) if row["file"] else None,
            "note": by_seq.get(row["seq"], ""),
        }
        for row in rows
    ]


async def _check(
    books: Books, asker: Asker, kind: str, interaction: str, patients: Iterable[str]
) -> None:
    """For billing staff; whom somebody else asked about is logged."""
    try:
        access.check_biller(asker.caller, kind, interaction)
    except Forbidden:
        for patient in patients:
            await books.log_denied(asker, "Claim", patient)
        raise


async def listed_files(books: Books, asker: Asker, status: str) -> dict[str, Any]:
    access.check_biller(asker.caller, "PaymentReconciliation", "s")
    rows = await files.listed(books.running.database, status)
    return {"files": [file_shown(row) for row in rows]}


def file_shown(row: Any) -> dict[str, Any]:
    return {
        "id": str(row["id"]),
        "direction": row["direction"],
        "kind": row["kind"],
        "payer": row["payer"],
        "control": row["control"],
        "status": row["status"],
        "problem": row["problem"],
        "made": row["made"].isoformat(),
    }


async def content(books: Books, asker: Asker, file: UUID) -> bytes:
    """A file's X12 as it went or came; whose it is about is logged for each patient."""
    database = books.running.database
    patients = await claims.patients_of(database, await files.claims_of(database, file))
    await _check(books, asker, "PaymentReconciliation", "r", patients)
    sealed = await files.content(database, file)
    if sealed is None:
        raise NotYours("There is no such file.", place="file")
    await books.log_read(asker, "Claim", patients or {"": 1})
    return await books.open_file(str(file), sealed)
