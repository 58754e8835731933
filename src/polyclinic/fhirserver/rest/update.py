"""Update, by id or by criteria. https://hl7.org/fhir/R4/http.html#update"""

from typing import Any

from polyclinic.fhirserver.errand import Errand
from polyclinic.fhirserver.rest import reading
from polyclinic.fhirserver.rest.answer import Answer
from polyclinic.fhirserver.rest.ask import Ask, written
from polyclinic.fhirserver.rest.conditional import canonical
from polyclinic.fhirserver.rest.parts import Parts
from polyclinic.fhirserver.store.draft import Draft
from polyclinic.foundation import ids
from polyclinic.foundation.errors import Invalid


async def update(parts: Parts, errand: Errand, kind: str, name: str, ask: Ask) -> Answer:
    grant = parts.may_write(errand, "u", kind)
    if parts.registered is not None:
        return written(await parts.register(errand, ask, kind, name, "update"), ask.headers)
    resource = reading.of_type(ask.decoded(), kind)
    if resource.get("id") != name:
        raise Invalid(f"The body's id must be {name!r}, as in the address.", place=f"{kind}.id")
    reading.checked(resource)
    draft = Draft(
        errand, grant, kind, name, resource,
        if_match=ask.if_match, may_create=errand.access.wide,
    )  # fmt: skip
    return written(await parts.store.put(draft), ask.headers)


async def update_matching(parts: Parts, errand: Errand, kind: str, ask: Ask) -> Answer:
    """Changes the one that matches; makes a new one when none does."""
    parts.may_write(errand, "u", kind)
    parts.need_documents(kind, "conditional update")
    errand.access.to("s", kind)
    wanted = canonical(kind, ask.pairs)
    resource = reading.checked(reading.of_type(ask.decoded(), kind))

    async def draft_of(found: str | None) -> Draft | None:
        return matched_draft(errand, ask, found, resource, ids.new_id())

    _, outcome = await parts.conditional.write(errand, wanted, draft_of)
    assert outcome is not None
    return written(outcome, ask.headers)


def matched_draft(
    errand: Errand, ask: Ask, found: str | None, resource: dict[str, Any], new_id: str
) -> Draft:
    """R4's four cases: one or none matches, and the body states an id or does not."""
    kind, stated = ask.path[0], resource.get("id")
    if found is not None:
        if stated not in (None, found):
            text = "The body's id is not the one of the resource that matches."
            raise Invalid(text, place=f"{kind}.id")
        grant = errand.access.to("u", kind)
        return Draft(errand, grant, kind, found, resource, if_match=ask.if_match)
    grant = errand.access.to("c", kind)
    if stated is None:
        return Draft(errand, grant, kind, new_id, resource)
    # Nothing matches, so what stands under that id is another resource: version 0 is none at all.
    return Draft(
        errand, grant, kind, reading.an_id(stated), resource,
        if_match=0, may_create=errand.access.wide,
    )  # fmt: skip
