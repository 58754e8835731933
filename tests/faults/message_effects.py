"""What messages must have done, and what they did, as the owners' own doors tell it."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import asyncpg
from honest_client import Honest
from message_senders import PRICES, phone, slot

# Of each patient: how often each document was written, and what it says in the end.
_VERSIONS = {"Patient": "3", "Encounter": "2", "ServiceRequest": "1", "Observation": "2"}


@dataclass(frozen=True)
class House:
    """All that integration and the owners have, by patient where it is somebody's."""

    messages: dict[str, str]  # by the control id of the acknowledgement, the state
    patients: dict[str, list[Any]]
    documents: dict[str, list[Any]]  # `Observation K1`
    owed: dict[str, int]
    told: Counter[str]  # webhook events by `kind appointment`


def differences(house: House, acknowledged: Mapping[str, str], told: Iterable[int]) -> list[str]:
    """Every acknowledged message done once, and every effect of every story there once.

    `acknowledged`: by control id, the acknowledgement's own, which is the kept message's name.
    """
    found = list(_of_messages(house, acknowledged))
    for number in told:
        found += _of_person(house, number)
    return found


def _of_messages(house: House, acknowledged: Mapping[str, str]) -> Iterable[str]:
    for control, name in acknowledged.items():
        state = house.messages.get(name, "lost")
        if state != "done":
            yield f"{control} was acknowledged and is {state}"
    if strange := house.messages.keys() - set(acknowledged.values()):
        yield f"{len(strange)} messages are kept that nobody sent, or twice"


def _of_person(house: House, number: int) -> Iterable[str]:
    mrn = f"K{number}"
    if len(house.patients.get(mrn, ())) != 1:
        yield f"there are {len(house.patients.get(mrn, ()))} patients {mrn}"
        return
    for kind, version in _VERSIONS.items():
        listed = house.patients[mrn] if kind == "Patient" else house.documents.get(f"{kind} {mrn}")
        versions = [each["meta"]["versionId"] for each in listed or ()]
        if versions != [version]:
            yield f"{kind} {mrn} has the versions {versions}, not {version}"
    (patient,) = house.patients[mrn]
    phones = [each["value"] for each in patient.get("telecom", ())]
    if phones != [phone(number, 3)]:
        yield f"{mrn} has the phones {phones}"
    results = house.documents.get(f"Observation {mrn}", ())
    values = [each["valueQuantity"]["value"] for each in results]
    if values != [4.4]:
        yield f"{mrn} has the results {values}"
    yield from _of_bookings(house, number, mrn)
    yield from _of_charges(house, mrn)


def _of_bookings(house: House, number: int, mrn: str) -> Iterable[str]:
    bookings = house.documents.get(f"Appointment {mrn}", ())
    starts = [each["start"] for each in bookings]
    if starts != [f"{slot(number, moved=True):%Y-%m-%dT%H:%M:%SZ}"]:
        yield f"{mrn} has the bookings {starts}"
    if [each["meta"]["versionId"] for each in bookings] != ["2"]:
        yield f"the booking of {mrn} was not made once and moved once"
    for each in bookings:
        for kind in ("AppointmentBooked", "AppointmentMoved"):
            if (times := house.told[f"{kind} {each['id']}"]) != 1:
                yield f"{kind} of {mrn} was told {times} times"


def _of_charges(house: House, mrn: str) -> Iterable[str]:
    items = house.documents.get(f"ChargeItem {mrn}", ())
    charges = sorted((each["code"]["coding"][0]["code"], each["status"]) for each in items)
    if charges != [("Z1001", "entered-in-error"), ("Z1002", "billable")]:
        yield f"{mrn} has the charges {charges}"
    if house.owed.get(mrn) != PRICES["Z1002"]:
        yield f"{mrn} owes {house.owed.get(mrn)}"


async def look(url: str, owners: Honest, events: Iterable[tuple[str, str, str]]) -> House:
    """`events` are id, kind and appointment of each webhook heard: the same id is the same one."""
    connection = await asyncpg.connect(url)
    rows = await connection.fetch("SELECT id, state FROM integration.message")
    await connection.close()
    everybody = _all(owners, "Patient")
    names = {f"Patient/{each['id']}": each["identifier"][0]["value"] for each in everybody}
    patients: dict[str, list[Any]] = {}
    for each in everybody:
        patients.setdefault(each["identifier"][0]["value"], []).append(each)
    documents: dict[str, list[Any]] = {}
    for kind in ("Encounter", "ServiceRequest", "Observation", "Appointment", "ChargeItem"):
        for each in _all(owners, kind):
            documents.setdefault(f"{kind} {names.get(_patient(each), '?')}", []).append(each)
    owed = {
        mrn: owners.found(f"/billing/payments?patient={name}")["owed"]
        for name, mrn in names.items()
    }
    told = Counter(f"{kind} {about}" for _, kind, about in set(events))
    messages = {row["id"].hex[:20]: row["state"] for row in rows}
    return House(messages, patients, documents, owed, told)


def _patient(resource: Any) -> str:
    for each in resource.get("participant", ()):
        if (name := each.get("actor", {}).get("reference", "")).startswith("Patient/"):
            return name
    return resource.get("subject", {}).get("reference", "")


def _all(owners: Honest, kind: str) -> list[Any]:
    found: list[Any] = []
    path = f"/fhir/{kind}?_count=100"
    while path:
        bundle = owners.found(path)
        found += [each["resource"] for each in bundle.get("entry", ())]
        more = [each["url"] for each in bundle.get("link", ()) if each["relation"] == "next"]
        path = "/fhir" + more[0].partition("/fhir")[2] if more else ""
    return found
