"""Who is treated: told to billing, or copied once from the chart."""

from polyclinic.foundation.errors import Invalid
from polyclinic.services.billing.actions import opened
from polyclinic.services.billing.actions.state import Asker, Books
from polyclinic.services.billing.domain import access
from polyclinic.services.billing.domain.people import (
    Person,
    check_person,
    is_patient,
    person_of_chart,
)
from polyclinic.services.billing.domain.problems import NotYours
from polyclinic.services.billing.store import people


async def person_of(books: Books, patient: str, token: str = "") -> Person | None:
    """Whom billing knows; else a copy of the chart's, kept from then on; else none.

    The caller's own token is tried first. Raises Unavailable when records does not answer.
    """
    known = await opened.persons(books, [patient])
    if known:
        return known[patient]
    resource = await books.charts.read(patient, token)
    found = None if resource is None else person_of_chart(resource)
    if found is None:
        return None
    sealed = await books.seal(patient, ("person", patient), found)
    await people.add(books.running.database, patient, sealed)
    return (await opened.persons(books, [patient]))[patient]


async def put_person(books: Books, asker: Asker, patient: str, person: Person) -> bool:
    """Keeps what the desk was told; whether the person is new. Raises Invalid, naming the field."""
    access.check_desk(asker.caller, "Patient", "u")
    if not is_patient(patient):
        raise Invalid("That is no patient's id.", place="patient")
    check_person(person, "person", books.today())
    sealed = await books.seal(patient, ("person", patient), person)
    async with books.running.database.transaction() as tx:
        return await people.save(tx, patient, sealed)


async def shown(books: Books, asker: Asker, patient: str) -> Person:
    """For the desk, billing and the person; copied from the chart where billing has nobody yet."""
    access.check_own(asker.caller, patient, "Patient", "r")
    if not is_patient(patient):
        raise NotYours
    found = await person_of(books, patient, asker.errand.token)
    if found is None:
        raise NotYours("Billing knows nobody of that id.", place="patient")
    await books.log_read(asker, "Patient", {patient: 1})
    return found
