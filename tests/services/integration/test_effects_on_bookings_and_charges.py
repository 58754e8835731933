"""What messages do to calendars and books: by their owners' rules, once, and money never alone."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from effects_house import House, did, encounter, keep, names_of, open_house, person

from polyclinic.services.integration.domain.intents import (
    Book,
    Cancel,
    Charge,
    Coded,
    Identifier,
    Merge,
    Miss,
    Move,
    Party,
    Person,
    Visit,
)

DOCTOR = Party("Dr. Adams", (Identifier("urn:his", "D1"),))
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_RULES = [
    {"weekday": day, "from": "09:00", "to": "17:00", "site": "main", "visit_types": ["visit"]}
    for day in _DAYS
]
WEEK = {
    "visit_types": [{"id": "visit", "name": "Visit", "minutes": 20, "every": 20}],
    "sites": [{"id": "main", "name": "Main", "time_zone": "UTC"}],
    "clinicians": [{"practitioner": "Practitioner/adams", "time_zone": "UTC", "rules": _RULES}],
}
FEES = {
    "name": "List", "from_day": "2020-01-01", "currency": "USD",
    "csv": "code,modifier,title,amount\nZ1001,,Visit,120.00\n",
}  # fmt: skip


@pytest.fixture(scope="module")
async def house(postgres_url: str, key_file: Path) -> AsyncIterator[House]:
    names = ("records", "appointments", "billing")
    async with open_house(postgres_url, key_file, *names) as opened:
        doctor = {
            "resourceType": "Practitioner", "id": "adams",
            "identifier": [{"system": "urn:his", "value": "D1"}],
        }  # fmt: skip
        made = await opened.send("PUT", "/fhir/Practitioner/adams", doctor)
        assert made.status_code == 201, made.text
        week = await opened.send("PUT", "/appointments/setup", WEEK)
        assert week.status_code == 200, week.text
        fees = await opened.send("POST", "/billing/fee-schedules", FEES)
        assert fees.is_success, fees.text
        yield opened


def visit(key: str, start: str, **changes: Any) -> Visit:
    number = (Identifier("urn:his:filler", key),)
    found = Visit(
        key, number, "booked", start, minutes=30, service="CHECK", reason="Cough",
        practitioners=(DOCTOR,), rank=("1",),
    )  # fmt: skip
    return replace(found, **changes)


def book(number: str, key: str, start: str, **changes: Any) -> Book:
    return Book(visit(key, start, **changes), person(number), {}, create_person=True)


async def test_a_booking_is_made_moved_and_cancelled_in_the_clinics_own_calendar(
    house: House,
) -> None:
    first = await house.done(book("b1", "S1", "2026-12-01T20:07:00Z"), trigger="SIU^S12")
    assert did(first) == {"Patient": "created", "Appointment": "created"}
    [name] = names_of(first, "Appointment")
    kept = await house.get(f"/fhir/{name}")
    assert (kept["status"], kept["start"]) == ("booked", "2026-12-01T20:05:00Z")
    again = await house.done(book("b1", "S1", "2026-12-01T20:07:00Z"), trigger="SIU^S12")
    assert did(again)["Appointment"] == "unchanged"
    moved = Move(visit("S1", "2026-12-01T21:00:00Z", rank=("2",)), person("b1"), {})
    assert did(await house.done(moved, trigger="SIU^S13"))["Appointment"] == "updated"
    late = await house.done(book("b1", "S1", "2026-12-01T20:07:00Z"), trigger="SIU^S12")
    assert did(late)["Appointment"] == "unchanged"
    off = Cancel(visit("S1", "2026-12-01T21:00:00Z", rank=("3",)), person("b1"), {})
    assert did(await house.done(off, trigger="SIU^S15"))["Appointment"] == "updated"
    assert did(await house.done(off, trigger="SIU^S15"))["Appointment"] == "unchanged"
    kept = await house.get(f"/fhir/{name}")
    assert (kept["status"], kept["start"]) == ("cancelled", "2026-12-01T21:00:00Z")


async def test_nobody_is_booked_into_two_places(house: House) -> None:
    await house.done(book("b2", "S2", "2026-12-02T10:00:00Z"), trigger="SIU^S12")
    outcome = await house.carry(book("b3", "S3", "2026-12-02T10:15:00Z"), trigger="SIU^S12")
    assert (outcome.state, outcome.reason) == ("waiting", "booking")
    assert did(outcome) == {"Patient": "created"}


async def test_a_cancellation_before_its_booking_keeps_it_off(house: House) -> None:
    off = Cancel(visit("S4", "2026-12-03T10:00:00Z", rank=("2",)), person("b4"), {})
    assert (await house.carry(off, trigger="SIU^S15")).state == "ignored"
    outcome = await house.done(book("b4", "S4", "2026-12-03T10:00:00Z"), trigger="SIU^S12")
    assert did(outcome) == {"Appointment": "unchanged"}


async def test_who_did_not_come_missed_it_and_not_before_it_began(house: House) -> None:
    past = "2026-11-02T10:00:00Z"
    await house.done(book("b5", "S5", past), trigger="SIU^S12")
    missed = Miss(visit("S5", past, rank=("2",)), person("b5"), {})
    [name] = names_of(await house.done(missed, trigger="SIU^S26"), "Appointment")
    assert (await house.get(f"/fhir/{name}"))["status"] == "noshow"
    await house.done(book("b6", "S6", "2099-12-04T10:00:00Z"), trigger="SIU^S12")
    early = Miss(visit("S6", "2099-12-04T10:00:00Z", rank=("2",)), person("b6"), {})
    assert (await house.carry(early, trigger="SIU^S26")).reason == "booking"


def twin(number: str, of: str) -> Person:
    """Another chart of the same person, as registers make them."""
    said = person(of).resource
    return person(number, name=said["name"], birthDate=said["birthDate"][:9] + "9", gender="other")


@pytest.mark.parametrize("end", [Cancel, Miss])
async def test_a_number_used_again_for_somebody_else_ends_nobodys_visit(
    house: House, end: type[Cancel | Miss]
) -> None:
    key, start = f"S8{end.__name__}", f"2026-11-0{3 + (end is Miss)}T10:00:00Z"
    [name] = names_of(await house.done(book("b8", key, start), trigger="SIU^S12"), "Appointment")
    await house.done(keep(person("b9")))
    off = end(visit(key, start, rank=("2",)), person("b9"), {})
    outcome = await house.carry(off, trigger="SIU^S15")
    assert (outcome.state, outcome.reason) == ("waiting", "wrong patient")
    assert (await house.get(f"/fhir/{name}"))["status"] == "booked"
    theirs = end(visit(key, start, rank=("3",)), person("b8"), {})
    await house.done(theirs, trigger="SIU^S15")
    assert (await house.get(f"/fhir/{name}"))["status"] in ("cancelled", "noshow")


async def test_after_a_merge_the_one_who_goes_on_cancels_the_others_visit(house: House) -> None:
    made = await house.done(book("b10", "S10", "2026-12-07T10:00:00Z"), trigger="SIU^S12")
    await house.done(keep(twin("b11", of="b10")))
    await house.done(Merge(person("b11"), person("b10")), trigger="ADT^A40")
    off = Cancel(visit("S10", "2026-12-07T10:00:00Z", rank=("2",)), twin("b11", of="b10"), {})
    await house.done(off, trigger="SIU^S15")
    [name] = names_of(made, "Appointment")
    assert (await house.get(f"/fhir/{name}"))["status"] == "cancelled"


async def test_an_unknown_practitioner_is_found_once_the_directory_knows_them(
    house: House,
) -> None:
    stranger = Party("Dr. Nobody", (Identifier("urn:old", "77"),))
    said = book("b7", "S7", "2026-12-05T10:00:00Z", practitioners=(stranger,))
    number = await house.message()
    outcome = await house.carry(said, trigger="SIU^S12", as_message=number)
    assert (outcome.state, outcome.reason) == ("waiting", "directory")
    entry = {"kind": "practitioner", "system": "urn:old", "value": "77",
             "target": "Practitioner/adams"}  # fmt: skip
    assert (await house.send("PUT", "/integration/directory", entry)).is_success
    outcome = await house.done(said, trigger="SIU^S12", as_message=number)
    assert did(outcome)["Appointment"] == "created"


def charge(number: str, key: str, **changes: Any) -> Charge:
    found = Charge(
        key, "CG", person(number), Coded("Z1001"), day="2026-11-20", visit=f"V{number}",
        amount="120.00", diagnoses=(Coded("E11.9", "http://hl7.org/fhir/sid/icd-10-cm"),),
        practitioner=DOCTOR,
    )  # fmt: skip
    return replace(found, **changes)


async def test_a_charge_is_made_once_and_taken_back_by_reversal(house: House) -> None:
    kept = await house.done(keep(person("c1"), encounter("Vc1", "finished")))
    first = await house.done(charge("c1", "F1"), trigger="DFT^P03")
    assert did(first) == {"ChargeItem": "created"}
    again = await house.done(charge("c1", "F1"), trigger="DFT^P03")
    assert did(again) == {"ChargeItem": "unchanged"}
    second = await house.done(charge("c1", "F2"), trigger="DFT^P03")
    [name] = names_of(second, "ChargeItem")
    back = charge("c1", "F3", kind="CD", units="-1", amount="-120.00")
    assert names_of(await house.done(back, trigger="DFT^P03"), "ChargeItem") == [name]
    assert did(await house.done(back, trigger="DFT^P03")) == {"ChargeItem": "unchanged"}
    found = await house.found(f"ChargeItem?patient={kept.patients[0]}")
    assert sorted(each["status"] for each in found) == ["billable", "entered-in-error"]


async def test_a_number_used_again_for_another_charge_waits_for_people(house: House) -> None:
    first = await house.done(keep(person("c5")), charge("c5", "F40"), trigger="DFT^P03")
    await house.done(keep(person("c6")))
    for other in (
        charge("c6", "F40"),
        charge("c5", "F40", day="2026-11-21", visit=""),
        charge("c5", "F40", units="2", amount="240.00"),
        charge("c5", "F40", kind="CD", units="-1", amount="-120.00"),
    ):
        outcome = await house.carry(other, trigger="DFT^P03")
        assert (outcome.state, outcome.reason, outcome.effects) == ("waiting", "charge", ())
        assert "FT1-2" in outcome.text
    [name] = names_of(first, "ChargeItem")
    assert (await house.get(f"/fhir/{name}"))["status"] == "billable"


async def test_a_charge_said_again_after_a_merge_is_the_same_charge(house: House) -> None:
    await house.done(keep(person("c7")), charge("c7", "F50"), trigger="DFT^P03")
    await house.done(keep(twin("c8", of="c7")))
    await house.done(Merge(person("c8"), person("c7")), trigger="ADT^A40")
    again = charge("c8", "F50", visit="Vc7", person=twin("c8", of="c7"))
    assert did(await house.done(again, trigger="DFT^P03")) == {"ChargeItem": "unchanged"}


async def test_a_charge_whose_word_was_lost_is_not_made_twice(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    from polyclinic.services.integration.store import effecting

    await house.done(keep(person("c2")))
    number = await house.message()

    async def dead(*_: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr(effecting, "done", dead)
    with pytest.raises(RuntimeError):
        await house.carry(charge("c2", "F10"), trigger="DFT^P03", as_message=number)
    monkeypatch.undo()
    outcome = await house.done(charge("c2", "F10"), trigger="DFT^P03", as_message=number)
    assert len(await house.found(f"ChargeItem?patient={outcome.patients[0]}")) == 1


@pytest.mark.parametrize("kind", ["PY", "AJ"])
async def test_money_of_other_books_is_for_people(house: House, kind: str) -> None:
    await house.done(keep(person("c3")))
    paid, charged = charge("c3", f"F20{kind}", kind=kind), charge("c3", f"F21{kind}")
    outcome = await house.carry(paid, charged, trigger="DFT^P03")
    assert (outcome.state, outcome.reason) == ("waiting", "money")
    assert did(outcome) == {"ChargeItem": "created"}


async def test_what_billing_does_not_take_waits_with_its_place(house: House) -> None:
    await house.done(keep(person("c4")))
    outcome = await house.carry(charge("c4", "F30", diagnoses=()), trigger="DFT^P03")
    assert (outcome.state, outcome.reason) == ("waiting", "charge")
    assert "reason" in outcome.text
    lone = await house.carry(charge("c4", "F31", kind="CD"), trigger="DFT^P03")
    assert (lone.state, lone.reason) == ("waiting", "charge")


async def test_without_their_owners_bookings_are_documents_and_charges_wait(
    postgres_url: str, key_file: Path
) -> None:
    async with open_house(postgres_url, key_file, "records") as small:
        start = "2026-12-01T10:00:00Z"
        resource = {
            "resourceType": "Appointment", "status": "booked", "start": start,
            "end": "2026-12-01T10:30:00Z",
            "participant": [{"actor": {"reference": "#Patient"}, "status": "accepted"}],
        }  # fmt: skip
        said = Book(visit("S1", start), person("b1"), resource, create_person=True)
        first = await small.done(said, trigger="SIU^S12")
        assert did(first) == {"Patient": "created", "Appointment": "created"}
        off = Cancel(visit("S1", start, rank=("2",)), person("b1"), resource)
        await small.done(off, trigger="SIU^S15")
        [name] = names_of(first, "Appointment")
        assert (await small.get(f"/fhir/{name}"))["status"] == "cancelled"
        outcome = await small.carry(charge("b1", "F1"), trigger="DFT^P03")
        assert (outcome.state, outcome.reason) == ("waiting", "no billing")
