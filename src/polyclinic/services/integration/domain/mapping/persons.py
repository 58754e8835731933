"""The person of a message: never one without a number that tells persons apart."""

from polyclinic.services.integration.domain.intents import Identifier, Person, Refused
from polyclinic.services.integration.domain.mapping import parties
from polyclinic.services.integration.domain.mapping.documents import Making, filled_by
from polyclinic.services.integration.domain.mapping.filling import Filled
from polyclinic.services.integration.domain.mapping.reading import Scope
from polyclinic.standards.hl7v2 import Segment

# Lists that are laid beside what is kept. In a snapshot names and addresses are all there are; PID
# says telecoms in three fields, of which an empty one deletes nothing.
_ALWAYS = ("identifier", "extension", "telecom")
UNITED = {True: _ALWAYS, False: (*_ALWAYS, "name", "address", "communication")}
# Whose numbers are a family's or an employer's, and find nobody.
_SHARED_KINDS = frozenset({"AN", "VN", "HAR", "XX", "EN", "EI", "PI-ACCT"})


def need_person(names: tuple[str, ...], making: Making, at: Segment | None = None) -> Person:
    """Raises Refused where nothing says who it is."""
    found = known_person(names, making, at)
    if found is None:
        raise Refused("PID-3 names nobody: it holds no usable identifier.", place="PID-3")
    return found


def known_person(
    names: tuple[str, ...], making: Making, at: Segment | None = None
) -> Person | None:
    """Of PID, or of that PID; none where it has no usable identifier."""
    segments = (at,) if at else making.reading.message.segments("PID")[:1]
    if not segments:
        return None
    scope = Scope(making.reading, segments if at else (), segments[0])
    if at is not None:
        names = tuple(name for name in names if name.startswith("PID"))
    filled = filled_by(names, scope, "Patient")
    return person_of(filled, making)


def person_of(filled: Filled, making: Making) -> Person | None:
    identifiers = tuple(identifiers_of(filled.resource.get("identifier", [])))
    if not identifiers:
        return None
    resource = {"resourceType": "Patient", **filled.resource}
    clears = tuple(each for each in filled.clears if each != "identifier")
    unites = UNITED[making.reading.channel.mode == "snapshot"]
    return Person(identifiers, resource, clears, making.moment, unites)


def identifiers_of(entries: list[dict[str, object]]) -> list[Identifier]:
    """Numbers that find a person, the sender's own first."""
    found: list[Identifier] = []
    for entry in entries:
        system, value = str(entry.get("system", "")), str(entry.get("value", ""))
        kind = _kind(entry)
        if system and parties.is_number(value) and kind not in _SHARED_KINDS:
            found.append(Identifier(system, value, kind))
    return list(dict.fromkeys(found))


def _kind(entry: dict[str, object]) -> str:
    type_ = entry.get("type")
    if isinstance(type_, dict) and type_.get("coding"):
        return str(type_["coding"][0].get("code", ""))
    return ""
