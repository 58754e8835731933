"""SMART App Launch scopes, v1 (`user/Patient.read`) and v2 (`user/Patient.rs`).

https://hl7.org/fhir/smart-app-launch/scopes-and-launch-context.html
"""

import re
from dataclasses import dataclass

from polyclinic.services.identity.domain.problems import InvalidScope

# Long enough for every type of R4 at one level, short enough for a token of 8 KB.
SCOPES_MAX = 160
SCOPE_TEXT_MAX = 4096

PLAIN = frozenset(
    {"openid", "fhirUser", "profile", "offline_access", "online_access", "launch", "launch/patient"}
)
ACCOUNTS = "system/identity.accounts"
EVENTS = "system/events.read"
# A service of ours may ask in the name of whoever asked it to; nobody else is registered for it.
DELEGATIONS = "system/identity.delegations"
# What each service logs of who did what, and who is behind an account that stands there.
TRAILS = "system/audit.trails"
PEOPLE = "system/identity.people"
ADMINISTRATION = frozenset(
    {ACCOUNTS, "user/identity.accounts", EVENTS, DELEGATIONS, TRAILS, PEOPLE}
)

_SHAPE = re.compile(
    r"(patient|user|system)/(\*|[A-Z][A-Za-z]{1,63})\.(?=.)(\*|read|write|c?r?u?d?s?)", re.ASCII
)
_V1 = {"read": "rs", "write": "cud", "*": "cruds"}

STAFF_READS = "Practitioner PractitionerRole Organization Location"

# What a person may do by role when signed in through a client of our own (least privilege, 45 CFR
# 164.502(b)): the front desk sees who somebody is and who pays, never why they come.
BY_ROLE: dict[str, tuple[str, ...]] = {
    # Paying and agreeing to a plan are billing's to allow; the FHIR door lets no patient write.
    "patient": (
        "patient/*.rs",
        "patient/Appointment.cru",
        "patient/PaymentNotice.c",
        "patient/Account.u",
    ),
    "clinician": ("user/*.cruds",),
    "front-desk": (
        "user/Patient.crus",
        "user/RelatedPerson.crus",
        "user/Coverage.crus",
        "user/Appointment.cruds",
        "user/Schedule.rs",
        "user/Slot.rs",
        "user/Invoice.rs",
        "user/PaymentNotice.crs",
        *(f"user/{kind}.rs" for kind in STAFF_READS.split()),
    ),
    "billing": (
        "user/Patient.rs",
        "user/RelatedPerson.rs",
        "user/Coverage.crus",
        "user/Claim.crus",
        "user/ClaimResponse.rs",
        "user/ExplanationOfBenefit.rs",
        "user/Account.crus",
        "user/ChargeItem.crus",
        "user/Invoice.crus",
        "user/ChargeItemDefinition.crus",
        "user/PaymentNotice.crus",
        "user/PaymentReconciliation.crus",
        *(f"user/{kind}.rs" for kind in STAFF_READS.split()),
    ),
    "administrator": (
        "user/identity.accounts",
        "user/AuditEvent.rs",  # what was done, and never the charts it was done to
        *(f"user/{kind}.rs" for kind in STAFF_READS.split()),
    ),
}


@dataclass(frozen=True, slots=True)
class Reach:
    """What one resource scope allows: whose data, which type, which of create…search."""

    level: str
    kind: str
    doing: frozenset[str]

    def covers(self, other: "Reach") -> bool:
        same_kind = self.kind in {"*", other.kind}
        return self.level == other.level and same_kind and other.doing <= self.doing


def parse(text: str) -> tuple[str, ...]:
    """The scopes in a request, each once, in order; raises InvalidScope naming no foreign text."""
    if len(text) > SCOPE_TEXT_MAX:
        raise InvalidScope("The list of scopes is too long.")
    found = tuple(dict.fromkeys(filter(None, text.split(" "))))
    if not found:
        raise InvalidScope("At least one scope is needed.")
    if len(found) > SCOPES_MAX:
        raise InvalidScope("The list of scopes is too long.")
    for number, scope in enumerate(found, start=1):
        if not is_valid(scope):
            raise InvalidScope(f"Scope {number} of the list is not a scope of this server.")
    return found


def is_valid(scope: str) -> bool:
    return scope in PLAIN or scope in ADMINISTRATION or _SHAPE.fullmatch(scope) is not None


def reach(scope: str) -> Reach | None:
    """What a resource scope allows; None for scopes that open no resources."""
    shape = _SHAPE.fullmatch(scope)
    if shape is None:
        return None
    level, kind, doing = shape.groups()
    return Reach(level, kind, frozenset(_V1.get(doing, doing)))


def is_within(asked: str, allowed: tuple[str, ...]) -> bool:
    """Whether a scope is one of the allowed ones or narrower than one of them."""
    if asked in allowed:
        return True
    wanted = reach(asked)
    if wanted is None:
        return False
    return any(has.covers(wanted) for has in map(reach, allowed) if has is not None)


def for_person(role: str, asked: tuple[str, ...]) -> tuple[str, ...]:
    """What a client of our own gets: all that the role may do, and the plain scopes asked for."""
    plain = tuple(scope for scope in asked if scope in PLAIN)
    return tuple(dict.fromkeys((*plain, *BY_ROLE[role])))


def for_system(asked: tuple[str, ...], registered: tuple[str, ...]) -> tuple[str, ...]:
    """What a system client gets: all it asked, or a refusal when it asked for more than it has."""
    if any(not scope.startswith("system/") for scope in asked):
        raise InvalidScope("A client that acts for itself asks for system/ scopes only.")
    if not all(is_within(scope, registered) for scope in asked):
        raise InvalidScope("The client is not registered for all of these scopes.")
    return asked


def narrowed(asked: tuple[str, ...], granted: tuple[str, ...]) -> tuple[str, ...]:
    """A renewal may ask for less, never for more (RFC 6749 section 6)."""
    if not all(is_within(scope, granted) for scope in asked):
        raise InvalidScope("A renewal cannot ask for more than was granted.")
    return asked


def for_delegation(asked: tuple[str, ...], held: tuple[str, ...]) -> tuple[str, ...]:
    """Others may look in somebody's name at what that somebody may look at, and change nothing."""
    for scope in asked:
        wanted = reach(scope)
        if wanted is None or not wanted.doing <= set("rs") or not is_within(scope, held):
            raise InvalidScope("Only reading and searching that the token allows is delegated.")
    return asked


def left_of(scopes: tuple[str, ...], allowed: tuple[str, ...]) -> tuple[str, ...]:
    """Those that are still allowed."""
    return tuple(scope for scope in scopes if is_within(scope, allowed))
