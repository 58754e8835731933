"""Messages that we wrote ourselves, and what every translation of them must keep to."""

from dataclasses import dataclass, field
from hashlib import blake2b
from types import MappingProxyType

from polyclinic.services.integration.domain.intents import Keep
from polyclinic.services.integration.domain.mapping import translate
from polyclinic.standards.fhir.validation import validate
from polyclinic.standards.hl7v2 import parse

NONE = MappingProxyType({})
WHO = "PID|1||4711^^^WEST^MR~999-11-2222^^^USA^SS||Okafor^Ada^Mae^^Dr.^^L||19840229|F"
VISIT = "PV1|1|I|3W^301^A^WEST||||77^Weiss^Noor^^^Dr.|88^Rey^Ivo||MED|||||||||V100^^^WEST^VN"


@dataclass
class Rules:
    """A channel as the mapping sees it."""

    systems: dict[str, str] = field(
        default_factory=lambda: {"WEST": "urn:oid:2.999.1.1", "LAB": "urn:oid:2.999.2"}
    )
    mode: str = "snapshot"
    create_person: bool = True
    zone: str = "America/New_York"
    mapping: dict[str, object] = field(default_factory=dict)


def message(trigger, *lines, at="20260105101500-0500", evn="", version="2.5.1"):
    code, event = trigger.split("^")[:2]
    head = f"MSH|^~\\&|ADT|WEST|POLY|CLINIC|{at}||{code}^{event}|C1|P|{version}"
    second = [f"EVN|{event}|{evn}"] if code == "ADT" else []
    return "\r".join((head, *second, *lines, "")).encode()


def translated(trigger, *lines, rules=None, **how):
    return of_bytes(message(trigger, *lines, **how), rules)


def of_bytes(raw, rules=None):
    """Translates, and checks what holds for every translation."""
    made = translate(parse(raw), rules or Rules())
    for resource in resources(made):
        issues = [each for each in validate(resolved(resource)) if each.severity == "error"]
        assert not issues, (resource, issues)
    return made


def resources(made):
    """Every resource as it is when nothing was kept before."""
    found = [made.person.resource] if made.person else []
    for intent in made.intents:
        if isinstance(intent, Keep):
            found += [{**each.defaults, **each.resource} for each in intent.documents]
        elif hasattr(intent, "resource") and "start" in intent.resource:
            found.append(intent.resource)
    return found


def resolved(value):
    """Placeholders as the effects make them: `Kind/id`."""
    if isinstance(value, list):
        return [resolved(each) for each in value]
    if not isinstance(value, dict):
        return value
    found = {name: resolved(each) for name, each in value.items()}
    reference = found.get("reference")
    if isinstance(reference, str) and reference.startswith("#"):
        kind, _, key = reference[1:].partition("/")
        found["reference"] = f"{kind}/{blake2b(key.encode(), digest_size=8).hexdigest()}"
    return found


def keep(made):
    return next(each for each in made.intents if isinstance(each, Keep))


def documents(made, kind):
    return [each for each in keep(made).documents if each.kind == kind]


def only(made, kind):
    (found,) = documents(made, kind)
    return found


def texts(made):
    return [f"{note.place}: {note.text}" for note in made.notes]
