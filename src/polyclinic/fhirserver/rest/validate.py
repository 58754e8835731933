"""`$validate`: what base R4 validation finds in a resource, without keeping it.

https://hl7.org/fhir/R4/resource-operation-validate.html
"""

from typing import Any

from polyclinic.fhirserver.errand import Errand
from polyclinic.fhirserver.rest import reading
from polyclinic.fhirserver.rest.answer import Answer
from polyclinic.fhirserver.rest.ask import Ask
from polyclinic.foundation.errors import Invalid
from polyclinic.standards.fhir import codec
from polyclinic.standards.fhir.issues import FhirIssue
from polyclinic.standards.fhir.outcome import operation_outcome
from polyclinic.standards.fhir.validation import validate as find_issues

MODES = ("create", "update", "delete", "profile")
_BASE = "http://hl7.org/fhir/StructureDefinition/"
_OFFERED = frozenset({"mode", "profile"}) | reading.IGNORED


async def validate(errand: Errand, kind: str, name: str | None, ask: Ask) -> Answer:
    """200 with an OperationOutcome, whether the resource is valid or not."""
    _need_some_access(errand, kind)
    said, resource = _asked(ask)
    mode = said.get("mode", "update" if name else "create")
    if mode not in MODES:
        raise Invalid(f"mode is one of {', '.join(MODES)}.", place="mode")
    if mode in ("update", "delete") and name is None and "mode" in said:
        raise Invalid(f"mode {mode} is asked of one resource: {kind}/id/$validate.", place="mode")
    found: list[FhirIssue] = []
    if resource is not None:
        reading.of_type(resource, kind)
        found += find_issues(resource)
        if name is not None and resource.get("id", name) != name:
            found.append(FhirIssue("error", "value", f"{kind}.id", "It is not the address's id."))
    elif mode != "delete":
        raise Invalid("There is no resource to validate.", place="resource")
    if said.get("profile", _BASE + kind) != _BASE + kind:
        text = "Profiles are not checked here; the resource was checked against base R4."
        found.append(FhirIssue("warning", "not-supported", "profile", text))
    if not found:
        found.append(FhirIssue("information", "informational", "", "No problem was found."))
    return Answer(200, codec.encode(operation_outcome(found)))


def _need_some_access(errand: Errand, kind: str) -> None:
    if not any(grant.allows_type(kind) for grant in errand.access.grants.values()):
        errand.access.to("r", kind)


def _asked(ask: Ask) -> tuple[dict[str, str], dict[str, Any] | None]:
    """Mode and profile, and the resource: posted as it is, or within Parameters."""
    said: dict[str, str] = {}
    for name, value in ask.pairs:
        if name not in _OFFERED:
            raise Invalid(f"$validate has no parameter {name[:64]!r}.", place=name[:64])
        said[name] = value
    if not ask.body.strip() and ask.resource is None:
        return said, None
    body = ask.decoded()
    parameters = body.get("parameter")
    if body.get("resourceType") != "Parameters" or not isinstance(parameters, list):
        return said, body
    resource: dict[str, Any] | None = None
    for one in parameters:
        if not isinstance(one, dict):
            raise Invalid("A parameter is an object.", place="Parameters.parameter")
        if isinstance(one.get("resource"), dict) and one.get("name") == "resource":
            resource = one["resource"]
        said.update(_stated(one))
    return said, resource


def _stated(parameter: dict[str, Any]) -> dict[str, str]:
    name = parameter.get("name")
    if name not in ("mode", "profile"):
        return {}
    values = [parameter.get(f"value{kind}") for kind in ("Code", "Uri", "Canonical", "String")]
    texts = [value for value in values if isinstance(value, str)]
    return {name: texts[0]} if texts else {}
