"""Read and vread: one resource by its id. https://hl7.org/fhir/R4/http.html#read"""

from polyclinic.fhirserver.errand import Errand
from polyclinic.fhirserver.rest.answer import Answer
from polyclinic.fhirserver.rest.ask import Ask
from polyclinic.fhirserver.rest.parts import Parts
from polyclinic.foundation.errors import Invalid


async def read(parts: Parts, errand: Errand, kind: str, name: str, ask: Ask) -> Answer:
    document = await parts.store.read(errand, errand.access.to("r", kind), kind, name)
    if ask.headers.get("if-none-match") == f'W/"{document.version}"':
        return Answer(304, None, document)
    return Answer(200, document.body, document)


async def vread(parts: Parts, errand: Errand, kind: str, name: str, version: str) -> Answer:
    grant = errand.access.to("r", kind)
    if not (version.isascii() and version.isdecimal()) or len(version) > 9:
        raise Invalid("A version is a number.", place="url")
    document = await parts.store.version(errand, grant, kind, name, int(version))
    return Answer(200, document.body, document)
