"""Keeps a claim that is not sent yet in step with the charges of its visit."""

from collections.abc import Sequence

from polyclinic.foundation.database import Transaction
from polyclinic.services.billing.actions import claiming
from polyclinic.services.billing.actions.state import Books
from polyclinic.services.billing.domain.charges import BILLED, Charge, Visit
from polyclinic.services.billing.domain.claims import CHECKED, DRAFT, Claim, ClaimLine
from polyclinic.services.billing.domain.problems import WrongState
from polyclinic.services.billing.store import charges, claims
from polyclinic.services.billing.store.claims import Move, Told


async def claim(
    books: Books, tx: Transaction, author: str, visit: Visit, payer: str, made: Sequence[Charge]
) -> None:
    """A draft for new charges, or their place in the draft that there is."""
    if await claiming.begin(books, tx, author, visit, payer, made) is not None:
        return
    known = [each.id for each in await claims.of_visit(tx, visit.id) if each.payer == payer]
    found = (await claims.locked(tx, known))[known[0]]
    if found.status not in (DRAFT, CHECKED):
        raise WrongState("The claim of this visit has been sent; correct it first.", place="claim")
    lines = (await claims.lines(tx, [found.id]))[found.id]
    lines += [ClaimLine(each.line, each.id, each.amount) for each in made]
    await charges.set_status(tx, [each.id for each in made], BILLED)
    await align(tx, author, found, lines)


async def align(tx: Transaction, author: str, found: Claim, lines: Sequence[ClaimLine]) -> None:
    """What was checked is no longer what it was: it is a draft again."""
    await claims.set_lines(tx, found.id, lines)
    await claims.set_frequency(tx, found.id, found.frequency, sum(x.amount for x in lines))
    await claims.move(tx, [Move(found.id, DRAFT)])
    await claims.tell(tx, [Told(found.id, DRAFT, "lines changed", author)])
