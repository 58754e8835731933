"""What payers answer to our files: TA1 and 999 to the file, 277CA to each claim."""

from collections.abc import Iterable
from uuid import UUID

from polyclinic.foundation.database import Transaction
from polyclinic.services.billing.actions.state import Asker, Books
from polyclinic.services.billing.domain.claims import Claim, after, is_late, may
from polyclinic.services.billing.domain.received import Incoming, Received, told
from polyclinic.services.billing.domain.work import Item
from polyclinic.services.billing.store import claims, files, work
from polyclinic.services.billing.store.claims import Move, Told
from polyclinic.standards.x12.acknowledge import (
    Acknowledgments,
    ClaimAnswer,
    GroupAcknowledgment,
    InterchangeAcknowledgment,
    read_acknowledgments,
    read_claim_reports,
)

_REFUSALS = frozenset("RMWX")  # AK901; M, W and X: its security fails
_DUPLICATE = "025"  # TA105


async def take_acknowledgments(
    books: Books,  # noqa: ARG001 - every kind of file is taken by the same call
    tx: Transaction,
    asker: Asker,
    came: Incoming,
) -> Received:
    """A refused file sends its claims back; an accepted one only says that it arrived."""
    answers = read_acknowledgments(came.content)
    if answers.refused:
        return Received("held", told(answers.refused))
    sent = await _sent(tx, came.payer, answers)
    if not sent:
        return Received("held", "It answers no file of ours.")
    total = rejected = 0
    for out, is_refused in sorted(sent.items()):
        listed = list((await claims.locked(tx, await files.claims_of(tx, out))).values())
        await files.add_claims(tx, came.file, [claim.id for claim in listed])
        total += len(listed)
        if is_refused:
            back = await _still_in(tx, out, listed)
            await _rejected(tx, asker, came.file, [(claim, "999") for claim in back])
            await files.set_status(tx, out, "refused", "The payer refused the file as a whole.")
            rejected += len(back)
    return Received("taken", counts={"claims": total, "rejected": rejected})


async def _still_in(tx: Transaction, file: UUID, listed: list[Claim]) -> list[Claim]:
    """Those that did not go out anew since; a late refusal is not of the newer file."""
    sent = await files.outgoing(tx, [claim.id for claim in listed])
    return [claim for claim in listed if sent[claim.id][0] == file]


async def _sent(tx: Transaction, payer: str | None, answers: Acknowledgments) -> dict[UUID, bool]:
    """Our files that are answered, and whether each was refused, by its envelope or its group."""
    named = [(note.control_number, _is_note_refusal(note)) for note in answers.interchanges]
    named += [(g.control_number.zfill(9), _is_group_refusal(g)) for g in answers.groups]
    found: dict[UUID, bool] = {}
    for control, is_refused in named:
        row = await files.by_control(tx, payer, control) if payer is not None else None
        if row is not None:
            found[row["id"]] = found.get(row["id"], False) or is_refused
    return found


def _is_note_refusal(note: InterchangeAcknowledgment) -> bool:
    """A file that came twice is refused the second time: the first one stands."""
    return note.status == "R" and note.code != _DUPLICATE


def _is_group_refusal(group: GroupAcknowledgment) -> bool:
    """A group of ours holds one transaction: taken in part with none accepted is refused."""
    return group.status in _REFUSALS or (group.status == "P" and not group.accepted)


async def take_claim_reports(
    books: Books,  # noqa: ARG001 - every kind of file is taken by the same call
    tx: Transaction,
    asker: Asker,
    came: Incoming,
) -> Received:
    """Each claim is accepted or comes back with the payer's reason.

    An answer to a former file of a claim is kept with the claim and moves nothing.
    """
    read = read_claim_reports(came.content)
    if read.refused:
        return Received("held", told(read.refused))
    answers = {each.claim_id: (each, r) for r in read.reports for each in r.answers}
    known = await claims.locked_by_number(tx, list(answers))
    if not known:
        return Received("held", "It names no claim of ours.")
    await files.add_claims(tx, came.file, [claim.id for claim in known.values()])
    sent = await files.outgoing(tx, [claim.id for claim in known.values()])
    timely = [
        (known[n], each)
        for n, (each, report) in answers.items()
        if n in known and not is_late(report.batch_reference, sent.get(known[n].id, []))
    ]
    await _accepted(tx, asker, came.file, [one for one in timely if one[1].is_accepted])
    back = [(claim, _reason(each)) for claim, each in timely if not each.is_accepted]
    await _rejected(tx, asker, came.file, back)
    counts = {"claims": len(known), "rejected": len(back), "unknown": len(answers) - len(known)}
    return Received("taken", counts=counts)


async def _accepted(
    tx: Transaction, asker: Asker, file: UUID, listed: Iterable[tuple[Claim, ClaimAnswer]]
) -> None:
    moving = [(claim, answer) for claim, answer in listed if may("accept", claim.status)]
    moves = [
        Move(claim.id, after("accept", claim.status), 0, answer.payer_control_number)
        for claim, answer in moving
    ]
    await claims.move(tx, moves)
    told_all = [Told(each.claim, each.status, "accepted", asker.name, file) for each in moves]
    await claims.tell(tx, told_all)


async def _rejected(
    tx: Transaction, asker: Asker, file: UUID, listed: Iterable[tuple[Claim, str]]
) -> None:
    moving = [(claim, reason) for claim, reason in listed if may("reject", claim.status)]
    moves = [Move(claim.id, after("reject", claim.status)) for claim, _ in moving]
    await claims.move(tx, moves)
    await claims.tell(tx, [Told(e.claim, e.status, "rejected", asker.name, file) for e in moves])
    items = [
        Item("rejected", f"Claim/{claim.id}", claim.patient, claim.payer, claim.total, reason)
        for claim, reason in moving
    ]
    await work.open_item(tx, *items)


def _reason(answer: ClaimAnswer) -> str:
    """`A7-562`: category and status number; the sentence is looked up where it is shown."""
    first = answer.statuses[0] if answer.statuses else None
    return f"{first.category}-{first.code}" if first else "A3"
