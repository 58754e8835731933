"""Sends checked claims: one 837P file a payer, kept as it goes out."""

from collections.abc import Sequence
from hashlib import sha256
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from polyclinic.contracts.billing import ClaimSubmitted
from polyclinic.foundation import ids
from polyclinic.foundation.database import Transaction
from polyclinic.foundation.errors import Invalid, NotProcessable
from polyclinic.foundation.once import Once, Stored
from polyclinic.foundation.outbox import announce
from polyclinic.services.billing.actions.describing import Described, describe, findings
from polyclinic.services.billing.actions.state import Asker, Books
from polyclinic.services.billing.domain import access, checking
from polyclinic.services.billing.domain.claims import SUBMITTED, Claim, after, batch_reference
from polyclinic.services.billing.domain.payers import Payer
from polyclinic.services.billing.domain.problems import NotYours
from polyclinic.services.billing.store import claims, files, publications, work
from polyclinic.services.billing.store.claims import Move, Told
from polyclinic.services.billing.store.files import File
from polyclinic.standards.x12.envelope import Envelope, Party
from polyclinic.standards.x12.professional_claim import (
    ClaimBatch,
    Receiver,
    Submitter,
    write_claims,
)
from polyclinic.standards.x12.refused import Refused

BATCH_MAX = 500  # claims a file; a payer's acknowledgment of more is hard to read


class Submission(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which claims go out; all of them to the same payer."""

    claims: tuple[UUID, ...]


async def submit(books: Books, asker: Asker, asked: Submission, key: Once | None) -> Stored:
    """Checks each claim once more and writes them into one file; all go or none."""
    access.check_biller(asker.caller, "Claim", "u")
    if not 1 <= len(set(asked.claims)) <= BATCH_MAX:
        raise Invalid(f"A file has 1 to {BATCH_MAX} claims.", place="claims")

    async def act(tx: Transaction) -> tuple[int, object]:
        found = await _locked(tx, asked.claims)
        described = [await describe(books, claim, tx) for claim in found]
        for each in described:
            if checking.has_failed(findings(books, each)):
                text = "A claim no longer passes its check; check it again and see why."
                raise NotProcessable(text, place=f"Claim/{each.claim.id}")
        file = await _send(books, tx, asker, described)
        return 201, {"file": str(file), "claims": len(found), "status": "ready"}

    return await books.carried(key, act)


async def _locked(tx: Transaction, wanted: Sequence[UUID]) -> list[Claim]:
    found = await claims.locked(tx, wanted)
    for claim in wanted:
        if claim not in found:
            raise NotYours("There is no such claim.", place=f"Claim/{claim}")
    listed = list(found.values())
    for claim in listed:
        after("submit", claim.status)
        if claim.payer != listed[0].payer:
            raise Invalid("The claims of one file go to one payer.", place="claims")
    return listed


async def _send(
    books: Books, tx: Transaction, asker: Asker, described: Sequence[Described]
) -> UUID:
    listed, payer = [each.claim for each in described], described[0].payer
    assert payer is not None
    name, control = ids.new_uuid(), await files.next_number(tx, payer.id, "ISA")
    envelope = _envelope(books, asker, payer, control)
    try:
        content = write_claims(envelope, _batch(books, payer, name, described))
    except Refused as refused:  # the claims were checked: the names of clinic and payer are left
        raise NotProcessable(f"The file cannot be written. {refused}", place="settings") from None
    sealed = await books.seal_file(str(name), content)
    digest = sha256(content).digest()
    await files.add(
        tx, File(name, "out", "837P", payer.id, f"{control:09}", digest, "ready", sealed)
    )
    await files.add_claims(tx, name, [claim.id for claim in listed])
    await _moved(tx, asker, listed, name)
    await announce(tx, *[_said(claim) for claim in listed])
    await publications.add(tx, ["Claim"], [claim.id for claim in listed])
    return name


async def _moved(tx: Transaction, asker: Asker, listed: Sequence[Claim], file: UUID) -> None:
    await claims.move(tx, [Move(claim.id, SUBMITTED) for claim in listed])
    kinds = [Told(claim.id, SUBMITTED, "submitted", asker.name, file) for claim in listed]
    await claims.tell(tx, kinds)
    for claim in listed:
        await work.close_item(tx, "to submit", f"Claim/{claim.id}", asker.name, "submitted")


def _envelope(books: Books, asker: Asker, payer: Payer, control: int) -> Envelope:
    """One group a file: a 999 names the group, and by the same number we find the file."""
    return Envelope(
        Party(books.settings.submitter_id),
        Party(payer.x12_id),
        asker.now.astimezone(ZoneInfo(books.settings.time_zone)),
        control,
        control,
    )


def _batch(books: Books, payer: Payer, file: UUID, described: Sequence[Described]) -> ClaimBatch:
    settings = books.settings
    written = [each.x12 for each in described if each.x12 is not None]
    return ClaimBatch(
        Submitter(
            settings.clinic_name, settings.submitter_id, "BILLING", settings.clinic_telephone
        ),
        Receiver(payer.name, payer.x12_id),
        batch_reference(file),
        tuple(written),
    )


def _said(claim: Claim) -> tuple[str, ClaimSubmitted]:
    return f"Claim/{claim.id}", ClaimSubmitted(
        claim=str(claim.id), patient=claim.patient.partition("/")[2], payer=claim.payer,
        amount=claim.total, currency=claim.currency,
    )  # fmt: skip
