"""The CapabilityStatement: what this server really does, made from what it is made of."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from polyclinic.fhirserver.rest.answer import instant
from polyclinic.fhirserver.rest.patch import MEDIA_TYPE as JSON_PATCH
from polyclinic.fhirserver.rest.registered import Registered
from polyclinic.fhirserver.search.query import SEARCHED
from polyclinic.foundation import clock
from polyclinic.standards.fhir import codec
from polyclinic.standards.fhir.definitions import (
    SearchParameter,
    resource_types,
    search_parameters,
)
from polyclinic.standards.fhir.search_values import unsupported_parameters

_READ = ("read", "vread", "history-instance", "history-type", "search-type")
_WRITE = ("create", "update", "patch", "delete")
_WHOLE = ("transaction", "batch", "history-system")
_DEFINITIONS = "http://hl7.org/fhir/OperationDefinition/"
_VALIDATE = {"name": "validate", "definition": f"{_DEFINITIONS}Resource-validate"}
_EVERYTHING = {"name": "everything", "definition": f"{_DEFINITIONS}Patient-everything"}
_ANYWHERE = 100  # a parameter with more targets may lead to any type
_STARTED = instant(clock.now())


def statement(
    base: str,
    foreign: frozenset[str],
    version: str,
    *,
    registered: Mapping[str, Registered] | None = None,
) -> bytes:
    """The statement for one base address; types that another service keeps are left to it."""
    own = [kind for kind in resource_types() if kind not in foreign]
    value: dict[str, Any] = {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": _STARTED,
        "kind": "instance",
        "software": {"name": "polyclinic", "version": version},
        "implementation": {"description": "polyclinic", "url": base},
        "fhirVersion": "4.0.1",
        "format": ["json", "application/fhir+json"],
        "patchFormat": [JSON_PATCH],
        "rest": [
            {
                "mode": "server",
                "security": _security(base),
                "resource": [_resource(kind, frozenset(own), registered) for kind in own],
                "interaction": [{"code": code} for code in _WHOLE],
            }
        ],
    }
    return codec.encode(value)


def together(own: bytes, others: Sequence[bytes]) -> bytes:
    """One statement of several services' types, in alphabetical order."""
    if not others:
        return own
    whole = codec.decode_kept(own)
    resources: list[dict[str, Any]] = whole["rest"][0]["resource"]
    for other in others:
        resources += codec.decode_kept(other)["rest"][0]["resource"]
    resources.sort(key=lambda resource: resource["type"])
    return codec.encode(whole)


def _security(base: str) -> dict[str, Any]:
    root = base.removesuffix("/fhir")
    uris = {"authorize": f"{root}/identity/authorize", "token": f"{root}/identity/token"}
    system = "http://terminology.hl7.org/CodeSystem/restful-security-service"
    return {
        "cors": False,
        "service": [{"coding": [{"system": system, "code": "SMART-on-FHIR"}]}],
        "extension": [
            {
                "url": "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris",
                "extension": [{"url": name, "valueUri": uri} for name, uri in uris.items()],
            }
        ],
    }


def _resource(
    kind: str, own: frozenset[str], registered: Mapping[str, Registered] | None
) -> dict[str, Any]:
    offered = _offered(kind)
    references = [code for code, p in offered.items() if p.type == "reference"]
    return {
        "type": kind,
        **(_documents() if registered is None else _by_actions(registered.get(kind))),
        "versioning": "versioned-update",
        "readHistory": True,
        "referencePolicy": ["literal", "logical", "local", "enforced"],
        "searchInclude": ["*", *(f"{kind}:{code}" for code in references)],
        "searchRevInclude": [place for place in _pointing_at(kind) if place.split(":")[0] in own],
        "searchParam": [{"name": code, "type": p.type} for code, p in offered.items()],
        "operation": _operations(kind, registered),
    }


def _documents() -> dict[str, Any]:
    """What may be done to a type that is kept as it is sent."""
    return {
        "interaction": [{"code": code} for code in (*_READ, *_WRITE)],
        "updateCreate": True,
        "conditionalCreate": True,
        "conditionalRead": "not-match",
        "conditionalUpdate": True,
        "conditionalDelete": "single",
    }


def _by_actions(actions: Registered | None) -> dict[str, Any]:
    """What may be done to a type whose owner decides about every write."""
    written = [verb for verb in ("create", "update", "delete") if getattr(actions, verb, None)]
    return {
        "interaction": [{"code": code} for code in (*_READ, *written)],
        "updateCreate": False,
        "conditionalCreate": False,
        "conditionalRead": "not-match",
        "conditionalUpdate": False,
        "conditionalDelete": "not-supported",
    }


def _operations(kind: str, registered: Mapping[str, Registered] | None) -> list[dict[str, str]]:
    found = [_VALIDATE]
    if kind == "Patient":
        found.append(_EVERYTHING)
    actions = (registered or {}).get(kind)
    for name in actions.operations if actions is not None else ():
        plain = name.removeprefix("$")
        found.append({"name": plain, "definition": f"urn:polyclinic:operation:{kind}-{plain}"})
    return found


@cache
def _offered(kind: str) -> Mapping[str, SearchParameter]:
    unread = set(unsupported_parameters(kind))
    return {
        code: p
        for code, p in search_parameters(kind).items()
        if p.type in SEARCHED and code not in unread
    }


@cache
def _pointing_at(kind: str) -> tuple[str, ...]:
    """`Type:parameter` of every reference that leads to this type, and not just to any.

    The 80 that may lead anywhere would be said of every type again: 310 of 534 kB. They work all
    the same; Provenance is said because ONC's (g)(10) tests look for it.
    """
    return tuple(
        f"{source}:{code}"
        for source in resource_types()
        for code, p in _offered(source).items()
        if p.type == "reference"
        and kind in p.target
        and (len(p.target) < _ANYWHERE or (source, code) == ("Provenance", "target"))
    )
