"""Who may see and change what: a caller becomes a Grant, a row of data that every statement joins.

No statement of this floor runs without a Grant, and `ACCESS` is the only place that reads one.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import LiteralString

from polyclinic.foundation.caller import Caller
from polyclinic.foundation.errors import Forbidden
from polyclinic.standards.fhir.definitions import (
    in_patient_compartment,
    resource_types,
    type_number,
)

# r: a row of `resource` or `version` (or of a change about to become one); g: a row of GRANTS.
# A comparison with a patient who is nobody is unknown: IS TRUE makes it a denial in the log, too.
# `open_types` are readable whoever they are about: directories, and for staff the demographics.
# Its second half is for what lies in a chart: a Schedule there is no longer part of a directory.
ACCESS: LiteralString = """(
    get_bit(g.types, r.type) = 1
    AND r.labels & ~g.labels = 0
    AND (g.required = '{}' OR r.terms @> g.required)
    AND (get_bit(g.open_types, r.type + CASE WHEN r.patient IS NULL THEN 0 ELSE 256 END) = 1
         OR r.patient = ANY (g.patients) OR r.others && g.patients
         OR (g.practitioner IS NOT NULL AND EXISTS (
             SELECT FROM care c
             WHERE c.practitioner = g.practitioner
               AND (c.patient = r.patient OR c.patient = ANY (r.others))
               AND coalesce(c.since, '-infinity') <= now()
               AND coalesce(c.until, 'infinity') > now()))) IS TRUE)"""

# For a change every patient concerned must be the caller's to write about, not just one of them.
MAY_WRITE: LiteralString = """(
    get_bit(g.types, r.type) = 1
    AND r.labels & ~g.labels = 0
    AND (g.required = '{}' OR r.terms @> g.required)
    AND (get_bit(g.open_types, r.type + CASE WHEN r.patient IS NULL THEN 0 ELSE 256 END) = 1
         OR (r.patient IS NOT NULL AND NOT EXISTS (
             SELECT FROM unnest(array_append(coalesce(r.others, '{}'), r.patient)) AS p(patient)
             WHERE (p.patient = ANY (g.patients)) IS NOT TRUE
               AND NOT EXISTS (
                 SELECT FROM care c
                 WHERE c.practitioner = g.practitioner AND c.patient = p.patient
                   AND coalesce(c.since, '-infinity') <= now()
                   AND coalesce(c.until, 'infinity') > now())))))"""

_BYTES = 32  # one bit a type; the second half begins at bit 256

# Read by everybody who may read at all: they describe places, people at work and knowledge.
DIRECTORY = frozenset(
    [
        "ActivityDefinition",
        "CapabilityStatement",
        "ChargeItemDefinition",
        "CodeSystem",
        "CompartmentDefinition",
        "ConceptMap",
        "Endpoint",
        "HealthcareService",
        "ImplementationGuide",
        "InsurancePlan",
        "Library",
        "Location",
        "Measure",
        "Medication",
        "MedicationKnowledge",
        "NamingSystem",
        "OperationDefinition",
        "Organization",
        "OrganizationAffiliation",
        "PlanDefinition",
        "Practitioner",
        "PractitionerRole",
        "Questionnaire",
        "Schedule",
        "SearchParameter",
        "Slot",
        "SpecimenDefinition",
        "StructureDefinition",
        "StructureMap",
        "Substance",
        "TerminologyCapabilities",
        "ValueSet",
    ]
)
# What the desk and billing work with, whoever the patient is.
_DESK = frozenset(["Patient", "RelatedPerson", "Coverage", "Appointment", "AppointmentResponse"])
_BILLING = frozenset(
    [
        "Patient",
        "RelatedPerson",
        "Coverage",
        "Claim",
        "ClaimResponse",
        "ExplanationOfBenefit",
        "Account",
        "ChargeItem",
        "Invoice",
        "PaymentNotice",
        "PaymentReconciliation",
        "CoverageEligibilityRequest",
        "CoverageEligibilityResponse",
        "EnrollmentRequest",
        "EnrollmentResponse",
    ]
)
# What billing keeps; whoever owns these types decides by rules of its own what is written of them.
_BILLING_OWN = frozenset(
    [
        "Account",
        "ChargeItem",
        "ChargeItemDefinition",
        "Invoice",
        "PaymentNotice",
        "PaymentReconciliation",
    ]
)
_REASONED = frozenset({"Appointment", "AppointmentResponse"})
# A patient signs nothing into the clinic's directory, and groups name other patients.
_NEVER_PATIENT = frozenset(["Group", "List", "AuditEvent", "Provenance", "Subscription", "Linkage"])

# Sensitivity labels as bits (HL7 v3 Confidentiality and ActCode); an unknown label is ignored.
LABELS: Mapping[tuple[str, str], int] = {
    ("http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "R"): 1 << 0,
    ("http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "V"): 1 << 1,
    ("http://terminology.hl7.org/CodeSystem/v3-ActCode", "ETH"): 1 << 2,
    ("http://terminology.hl7.org/CodeSystem/v3-ActCode", "HIV"): 1 << 3,
    ("http://terminology.hl7.org/CodeSystem/v3-ActCode", "PSY"): 1 << 4,
    ("http://terminology.hl7.org/CodeSystem/v3-ActCode", "SDV"): 1 << 5,
    ("http://terminology.hl7.org/CodeSystem/v3-ActCode", "SUD"): 1 << 6,
    ("http://terminology.hl7.org/CodeSystem/v3-ActCode", "SEX"): 1 << 7,
    ("http://terminology.hl7.org/CodeSystem/v3-ActCode", "NOPAT"): 1 << 8,
}
ALL_LABELS = (1 << 63) - 1
_VERY_RESTRICTED = 1 << 1
# Not for the patient unless the attending provider says so: a clinician releases it first.
_NOT_TO_PATIENT = 1 << 8

INTERACTIONS = "cruds"  # create, read, update, delete, search: SMART App Launch 2.2, scopes


@dataclass(frozen=True, slots=True)
class Grant:
    """What one caller may do in one interaction: bit sets of types, labels, and whose records."""

    types: bytes
    open_types: bytes
    labels: int
    patient: int | None
    practitioner: int | None
    required: tuple[int, ...] = ()

    def allows_type(self, name: str) -> bool:
        return _bit(self.types, type_number(name))

    def opens_type(self, name: str) -> bool:
        """Whether resources of this type may be seen whoever they are about."""
        return _bit(self.open_types, type_number(name))

    def opens_in_charts(self, name: str) -> bool:
        """Whether they may be seen even where they lie in somebody's chart."""
        return _bit(self.open_types, 8 * _BYTES + type_number(name))


@dataclass(frozen=True, slots=True)
class Access:
    """A caller with a Grant for each interaction, and the name under which it is logged."""

    actor: str
    client: str
    role: str
    grants: Mapping[str, Grant]
    reach: Grant  # what the role sees, whatever the token's scopes: references may lead there
    wide: bool = field(default=False)  # a system that may see every patient

    def to(self, interaction: str, resource_type: str | None = None) -> Grant:
        """The Grant for c, r, u, d or s; raises Forbidden when the type is out of reach."""
        grant = self.grants[interaction]
        if resource_type is not None and not grant.allows_type(resource_type):
            raise Forbidden(
                f"Your access does not include {_VERBS[interaction]} {resource_type}.",
                place=resource_type,
            )
        return grant


_VERBS = {"c": "creating", "r": "reading", "u": "updating", "d": "deleting", "s": "searching"}
_SCOPE = re.compile(r"(system|user|patient)/([A-Z][A-Za-z]+|\*)\.(read|write|\*|c?r?u?d?s?)")
_OLD_STYLE = {"read": "rs", "write": "cud", "*": "cruds"}


def access_of(caller: Caller, patient: int | None, practitioner: int | None) -> Access:
    """Scopes of the token ∩ what the role may do, for each interaction and type.

    `patient` and `practitioner` are the keyed hashes of the caller's own person, if it has one.
    """
    role = caller.role

    def grant(types: frozenset[str], interaction: str) -> Grant:
        return Grant(
            types=bits(types),
            open_types=bits(
                types & _role_open(role, interaction), types & _open_in_charts(role, interaction)
            ),
            labels=_labels(role),
            patient=patient if role == "patient" else None,
            practitioner=practitioner if role == "clinician" else None,
        )

    grants = {
        interaction: grant(
            _asked(caller.scopes, interaction) & _role_types(role, interaction), interaction
        )
        for interaction in INTERACTIONS
    }
    reach = grant(_role_types(role, "r"), "r")
    return Access(caller.subject, caller.client, role, grants, reach, role == "system")


def _labels(role: str) -> int:
    if role == "patient":
        return ALL_LABELS & ~_NOT_TO_PATIENT
    return ALL_LABELS if role == "system" else ~_VERY_RESTRICTED


def _asked(scopes: frozenset[str], interaction: str) -> frozenset[str]:
    found: set[str] = set()
    for scope in scopes:
        parts = _SCOPE.fullmatch(scope)
        if parts is None:
            continue
        name, letters = parts[2], _OLD_STYLE.get(parts[3], parts[3])
        if interaction in letters:
            found.update(resource_types() if name == "*" else (name,))
    return frozenset(found) & frozenset(resource_types())


@cache
def _role_types(role: str, interaction: str) -> frozenset[str]:
    everything = frozenset(resource_types())
    if role == "system":
        return everything
    if role == "clinician":
        return everything if interaction in "rs" else _charted()
    if role == "patient":
        return (_charted() - _NEVER_PATIENT) | DIRECTORY if interaction in "rs" else frozenset()
    if role == "front-desk":
        # The desk books; why somebody comes stands in the resource and is not the desk's to read.
        return (_DESK - _REASONED) | DIRECTORY if interaction in "rs" else _DESK
    if role == "billing":
        if interaction in "rs":
            return _BILLING | DIRECTORY
        return _BILLING_OWN if interaction in "cu" else frozenset()
    return DIRECTORY if interaction in "rs" else frozenset()


@cache
def _role_open(role: str, interaction: str) -> frozenset[str]:
    if role == "system":
        return frozenset(resource_types())
    if role == "front-desk":
        return _DESK | DIRECTORY
    if role == "billing":
        return _BILLING | DIRECTORY
    if role == "clinician" and interaction in "rsc":
        # A clinician finds any patient by name; the chart behind needs a relation.
        return DIRECTORY | {"Patient"}
    return DIRECTORY


@cache
def _open_in_charts(role: str, interaction: str) -> frozenset[str]:
    found = _role_open(role, interaction)
    return found if role == "system" else found - (DIRECTORY & _charted())


@cache
def _charted() -> frozenset[str]:
    """The types that belong into patients' charts."""
    named = frozenset(name for name in resource_types() if in_patient_compartment(name))
    return named | {"Patient"}


@cache
def bits(types: frozenset[str], in_charts: frozenset[str] | None = None) -> bytes:
    """A set of types as PostgreSQL's get_bit reads it: bit n is bit n % 8 of byte n / 8.

    The second half says the same of what lies in a chart; unless told, the same.
    """
    halves = bytearray(2 * _BYTES)
    for start, half in ((0, types), (_BYTES, types if in_charts is None else in_charts)):
        for name in half:
            number = type_number(name)
            halves[start + number // 8] |= 1 << (number % 8)
    return bytes(halves)


def _bit(value: bytes, number: int) -> bool:
    return bool(value[number // 8] >> (number % 8) & 1)


def labels_of(resource: Mapping[str, object]) -> int:
    """The sensitivity labels of `meta.security` as bits."""
    meta = resource.get("meta")
    codings = meta.get("security") if isinstance(meta, dict) else None
    if not isinstance(codings, list):
        return 0
    found = 0
    for coding in codings:
        if isinstance(coding, dict):
            found |= LABELS.get((coding.get("system", ""), coding.get("code", "")), 0)
    return found
