"""The CapabilityStatement: what this server really does, made from what it is made of."""

from collections.abc import Mapping
from typing import Any

from polyclinic.fhirserver.rest.answer import instant
from polyclinic.foundation import clock
from polyclinic.standards.fhir import codec
from polyclinic.standards.fhir.definitions import resource_types, search_parameters
from polyclinic.standards.fhir.search_values import unsupported_parameters

_READ = ("read", "vread", "history-instance", "search-type")
_WRITE = ("create", "update", "delete")
_SEARCHED = frozenset(["token", "reference", "string", "date", "number", "quantity", "uri"])
_STARTED = instant(clock.now())


def statement(base: str, foreign: frozenset[str], version: str) -> bytes:
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
        "rest": [
            {
                "mode": "server",
                "security": _security(base),
                "resource": [_resource(kind) for kind in own],
                "interaction": [{"code": "transaction"}, {"code": "batch"}],
            }
        ],
    }
    return codec.encode(value)


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


def _resource(kind: str) -> dict[str, Any]:
    unread = set(unsupported_parameters(kind))
    offered: Mapping[str, Any] = {
        code: p
        for code, p in search_parameters(kind).items()
        if p.type in _SEARCHED and code not in unread
    }
    references = [code for code, p in offered.items() if p.type == "reference"]
    return {
        "type": kind,
        "interaction": [{"code": code} for code in (*_READ, *_WRITE)],
        "versioning": "versioned-update",
        "readHistory": True,
        "updateCreate": True,
        "conditionalCreate": False,
        "conditionalUpdate": False,
        "conditionalDelete": "not-supported",
        "referencePolicy": ["literal", "logical", "local", "enforced"],
        "searchInclude": ["*", *(f"{kind}:{code}" for code in references)],
        "searchParam": [{"name": code, "type": p.type} for code, p in offered.items()],
    }
