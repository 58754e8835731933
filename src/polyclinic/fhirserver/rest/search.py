"""Search of a type, and of a type within a chart. https://hl7.org/fhir/R4/http.html#search"""

from collections.abc import Mapping

from polyclinic.fhirserver.errand import Errand
from polyclinic.fhirserver.rest import reading
from polyclinic.fhirserver.rest.answer import Answer
from polyclinic.fhirserver.rest.ask import Ask, Pairs, form
from polyclinic.fhirserver.rest.bundles import searchset
from polyclinic.fhirserver.rest.parts import Parts
from polyclinic.fhirserver.search.asks import Query
from polyclinic.fhirserver.search.cursor import Cursor
from polyclinic.fhirserver.search.include import included
from polyclinic.fhirserver.search.query import parse
from polyclinic.standards.fhir.definitions import in_patient_compartment, resource_types

COMPARTMENT: Mapping[str, tuple[str, ...]] = {
    kind: codes for kind in resource_types() if (codes := in_patient_compartment(kind))
}


async def search(parts: Parts, errand: Errand, kind: str, ask: Ask, base: str) -> Answer:
    lenient = "handling=lenient" in ask.headers.get("prefer", "")
    pairs = [*ask.pairs]
    if ask.method == "POST":
        pairs += form(ask.body)
        reading.check_format(pairs)
    return await _find(parts, errand, kind, pairs, base, lenient=lenient)


async def search_chart(
    parts: Parts, errand: Errand, patient: str, kind: str, ask: Ask, base: str
) -> Answer:
    """`Patient/123/Observation?…` is the type's search within that chart."""
    # Whom it is about, before who performed, wrote or paid for it.
    about = ("patient", "subject", "beneficiary", *COMPARTMENT[kind])
    parameter = next(code for code in about if code in COMPARTMENT[kind])
    pairs = [(parameter, f"Patient/{patient}"), *ask.pairs]
    return await _find(parts, errand, kind, pairs, base, lenient=False)


async def _find(
    parts: Parts, errand: Errand, kind: str, pairs: Pairs, base: str, *, lenient: bool
) -> Answer:
    grant = errand.access.to("s", kind)
    query, after = _query(parts, errand, kind, pairs, lenient=lenient)
    page = await parts.search.page(errand, grant, query, after)
    others = await included(parts.store, parts.search, errand, query, page.hits)
    after_text = None
    if page.after is not None:
        after_text = parts.cursors.seal(page.after, errand.access.actor, kind)
    return Answer(200, searchset(query, page, others, base, after_text))


def _query(
    parts: Parts, errand: Errand, kind: str, pairs: Pairs, *, lenient: bool
) -> tuple[Query, Cursor | None]:
    sealed = [value for name, value in pairs if name == "_page"]
    if not sealed:
        return parse(kind, pairs, lenient=lenient), None
    cursor = parts.cursors.open(sealed[-1], errand.access.actor, kind)
    return parse(kind, cursor.pairs, lenient=lenient), cursor
