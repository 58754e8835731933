"""Create, and create only when nothing matches. https://hl7.org/fhir/R4/http.html#create"""

from polyclinic.fhirserver.errand import Errand
from polyclinic.fhirserver.rest import reading
from polyclinic.fhirserver.rest.answer import Answer
from polyclinic.fhirserver.rest.ask import Ask, kept, written
from polyclinic.fhirserver.rest.conditional import canonical
from polyclinic.fhirserver.rest.parts import Parts
from polyclinic.fhirserver.store.draft import Draft
from polyclinic.foundation import ids


async def create(parts: Parts, errand: Errand, kind: str, ask: Ask) -> Answer:
    grant = parts.may_write(errand, "c", kind)
    criteria = ask.headers.get("if-none-exist")
    if criteria is not None:
        return await _create_if_none(parts, errand, kind, ask, criteria)
    if parts.registered is not None:
        return written(await parts.register(errand, ask, kind, None, "create"), ask.headers)
    resource = reading.checked(reading.of_type(ask.decoded(), kind))
    outcome = await parts.store.create(Draft(errand, grant, kind, ids.new_id(), resource))
    return written(outcome, ask.headers)


async def _create_if_none(
    parts: Parts, errand: Errand, kind: str, ask: Ask, criteria: str
) -> Answer:
    """201 with the new one, or 200 with the one that matches and may be seen."""
    parts.need_documents(kind, "conditional create")
    grant = errand.access.to("c", kind)
    errand.access.to("s", kind)
    wanted = canonical(kind, criteria.removeprefix("?"))
    resource = reading.checked(reading.of_type(ask.decoded(), kind))

    async def draft_of(found: str | None) -> Draft | None:
        return Draft(errand, grant, kind, ids.new_id(), resource) if found is None else None

    found, outcome = await parts.conditional.write(errand, wanted, draft_of)
    if outcome is not None:
        return written(outcome, ask.headers)
    assert found is not None
    if not errand.access.grants["r"].allows_type(kind):
        return Answer(200, None, None, f"{kind}/{found}")
    there = await parts.store.read(errand, errand.access.to("r", kind), kind, found)
    return kept(there, ask.headers, status=200)
