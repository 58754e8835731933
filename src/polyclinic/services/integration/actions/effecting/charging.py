"""Charges of other systems: each once, taken back by reversal, and money never without a person."""

from decimal import Decimal, InvalidOperation
from typing import Any

from polyclinic.services.integration.actions.effecting import others, who
from polyclinic.services.integration.actions.effecting.work import Resource, Waits, Work
from polyclinic.services.integration.domain.intents import Charge
from polyclinic.services.integration.domain.naming import document_id
from polyclinic.services.integration.gateways import billing
from polyclinic.services.integration.gateways.asking import Refused
from polyclinic.services.integration.store import effecting as rows

ICD_10_CM = "http://hl7.org/fhir/sid/icd-10-cm"


async def charge(work: Work, intent: Charge) -> None:
    """Raises Waits for what people must see: payments, adjustments, what billing does not take."""
    if intent.kind in ("PY", "AJ"):
        text = "Payments and adjustments of another system's books are posted by people."
        raise Waits("money", text)
    if not billing.is_installed(work.running):
        raise Waits("no billing", "There is no billing service to take charges.")
    patient = (await who.find(work, intent.person, may_create=False)).patient
    units, amount = _numbers(intent)
    is_credit = intent.kind == "CD" or units < 0 or amount < 0
    same = _same(work, intent, patient, units)
    try:
        if (deed := await rows.deed(work.running.database, _key(work, intent))) is not None:
            if deed.is_credit != is_credit or not await _is_same(work, intent, deed, patient):
                raise Waits("charge", "Another line of the sender had this number, FT1-2, before.")
            work.did(deed.target, "unchanged")
            return
        if is_credit:
            await _take_back(work, intent, same)
        else:
            item = await _item(work, intent, patient, units)
            made = await billing.charge(work.running, item, f"FT1/{_key(work, intent).hex()}")
            await _done(work, intent, f"ChargeItem/{made['id']}", same)
    except Refused as refused:
        where = (refused.place or "").removeprefix("ChargeItem.")
        what = f"the {where} of this line" if where else "this line"
        raise Waits("charge", f"Billing does not take {what}.") from refused


def _same(work: Work, intent: Charge, patient: str, units: Decimal) -> bytes:
    """What a line, said again or taken back, has in common with the first."""
    return work.digest("same charge", patient, intent.visit or intent.day, intent.code.code,
                       intent.modifiers, str(abs(units)))  # fmt: skip


async def _is_same(work: Work, intent: Charge, deed: rows.Deed, patient: str) -> bool:
    """Senders whose counter starts again use numbers of old lines; a merge changes only whose."""
    units, _ = _numbers(intent)
    if deed.same == _same(work, intent, patient, units):
        return True
    item = await billing.find(work.running, deed.target)
    whose = str(item["subject"]["reference"]) if item else ""
    if not whose or deed.same != _same(work, intent, whose, units):
        return False
    return await who.stands_for(work, whose) == patient


def _key(work: Work, intent: Charge) -> bytes:
    return work.digest("charge", intent.key)


def _numbers(intent: Charge) -> tuple[Decimal, Decimal]:
    try:
        return Decimal(intent.units or "1"), Decimal(intent.amount or "0")
    except InvalidOperation:
        raise Waits("charge", "Units or amount are no numbers.") from None


async def _item(work: Work, intent: Charge, patient: str, units: Decimal) -> Resource:
    item: Resource = {
        "resourceType": "ChargeItem",
        "status": "billable",
        "subject": {"reference": patient},
        "code": {"coding": [{"code": code} for code in (intent.code.code, *intent.modifiers)]},
        "quantity": {"value": int(units) if units == int(units) else float(units)},
        "reason": [
            {"coding": [{"system": ICD_10_CM, "code": each.code}]} for each in intent.diagnoses
        ],
    }
    if intent.visit:
        item["context"] = {"reference": f"Encounter/{document_id('Encounter', intent.visit)}"}
    if intent.day:
        item["occurrenceDateTime"] = intent.day
    if intent.amount:
        price: dict[str, Any] = {"value": float(intent.amount)}
        item["priceOverride"] = price | ({"currency": intent.currency} if intent.currency else {})
    parties = [intent.practitioner] if intent.practitioner else []
    if (performer := await others.practitioner(work, parties)) is not None:
        item["performer"] = [{"actor": {"reference": performer}}]
    return {name: value for name, value in item.items() if value != []}


async def _take_back(work: Work, intent: Charge, same: bytes) -> None:
    """The newest charge that is the same but for its sign, and was not taken back before."""
    database = work.running.database
    target = await rows.open_deed(database, same)
    found = await billing.find(work.running, target) if target else None
    if target is None or found is None:
        raise Waits("charge", "There is no charge here that this would take back.")
    if found.get("status") != "entered-in-error":
        found = await billing.take_back(work.running, found, f"FT1/{_key(work, intent).hex()}")
    await rows.taken_back(database, target, _key(work, intent))
    work.did(target, "updated", str(found["meta"]["versionId"]))


async def _done(work: Work, intent: Charge, target: str, same: bytes) -> None:
    await rows.done(work.running.database, (_key(work, intent), same), target, work.message)
    work.did(target, "created", "1")
