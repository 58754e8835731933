"""Delete, by id or by criteria that match one. https://hl7.org/fhir/R4/http.html#delete"""

from polyclinic.fhirserver.errand import Errand
from polyclinic.fhirserver.rest.answer import Answer
from polyclinic.fhirserver.rest.ask import Ask
from polyclinic.fhirserver.rest.conditional import canonical
from polyclinic.fhirserver.rest.parts import Parts
from polyclinic.fhirserver.store.draft import Draft


async def delete(parts: Parts, errand: Errand, kind: str, name: str, ask: Ask) -> Answer:
    grant = parts.may_write(errand, "d", kind)
    if parts.registered is not None:
        outcome = await parts.register(errand, ask, kind, name, "delete")
        return Answer(204, None, outcome.document)
    outcome = await parts.store.put(Draft(errand, grant, kind, name, None, if_match=ask.if_match))
    return Answer(204, None, outcome.document)


async def delete_matching(parts: Parts, errand: Errand, kind: str, ask: Ask) -> Answer:
    """Deletes the one that matches; when none does, there is nothing left to do."""
    grant = parts.may_write(errand, "d", kind)
    parts.need_documents(kind, "conditional delete")
    errand.access.to("s", kind)
    wanted = canonical(kind, ask.pairs)

    async def draft_of(found: str | None) -> Draft | None:
        if found is None:
            return None
        return Draft(errand, grant, kind, found, None, if_match=ask.if_match)

    _, outcome = await parts.conditional.write(errand, wanted, draft_of)
    return Answer(204, None, outcome.document if outcome is not None else None)
