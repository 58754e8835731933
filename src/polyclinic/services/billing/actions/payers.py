"""Keeps insurers as the clinic configures them."""

from polyclinic.services.billing.actions.state import Asker, Books
from polyclinic.services.billing.domain import access
from polyclinic.services.billing.domain.payers import Payer, check_payer
from polyclinic.services.billing.domain.problems import NotYours, StaffOnly
from polyclinic.services.billing.store import payers


async def put_payer(books: Books, asker: Asker, payer: Payer) -> bool:
    """Whether it is new; raises Invalid, naming the field."""
    access.check_biller(asker.caller, "Coverage", "u")
    check_payer(payer)
    async with books.running.database.transaction() as tx:
        return await payers.save(tx, payer)


async def listed(books: Books, asker: Asker) -> list[Payer]:
    """Insurers are nobody's secret, but they are the staff's matter."""
    _check_staff(asker)
    return await payers.list_all(books.running.database)


async def one(books: Books, asker: Asker, name: str) -> Payer:
    _check_staff(asker)
    found = await payers.find(books.running.database, name)
    if found is None:
        raise NotYours("There is no such payer.", place="payer")
    return found


def _check_staff(asker: Asker) -> None:
    access.check_scope(asker.caller, "Coverage", "r")
    if asker.caller.role not in access.DESK | access.CODERS:
        raise StaffOnly
