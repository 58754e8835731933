"""The demo clinic as it is kept: a line of JSON is a transaction Bundle, the clinic itself first.

`data/README.md` tells where it comes from and what was done to it.
"""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import msgspec
import zstandard

PATH = "data/northside.ndjson.zst"


@dataclass(frozen=True, slots=True)
class Relation:
    """A practitioner who looks after a patient, and the resource that says so."""

    practitioner: str
    patient: str
    since: str | None
    source: str


class _Reference(msgspec.Struct, frozen=True):
    reference: str = ""


class _Participant(msgspec.Struct, frozen=True):
    individual: _Reference = _Reference()
    member: _Reference = _Reference()


class _Period(msgspec.Struct, frozen=True):
    start: str | None = None


class _Resource(msgspec.Struct, frozen=True):
    type: str = msgspec.field(name="resourceType")
    id: str = ""
    status: str = ""
    period: _Period = _Period()
    participants: tuple[_Participant, ...] = msgspec.field(name="participant", default=())


class _Entry(msgspec.Struct, frozen=True):
    resource: msgspec.Raw


class _Bundle(msgspec.Struct, frozen=True):
    entries: tuple[_Entry, ...] = msgspec.field(name="entry")


class _Kind(msgspec.Struct, frozen=True):
    type: str = msgspec.field(name="resourceType")


@cache
def bundles() -> tuple[bytes, ...]:
    packed = files("polyclinic.demo").joinpath(PATH).read_bytes()
    return tuple(zstandard.ZstdDecompressor().decompress(packed).splitlines())


def relations(bundle: bytes) -> tuple[Relation, ...]:
    """Who looks after the Bundle's patient: active care teams first, then who held a visit.

    A practitioner is named once. Ended care teams give no relation; a clinic decides by its own
    policy when a visit of long ago stops counting, and the demo clinic lets it count.
    """
    kinds = [
        (msgspec.json.decode(entry.resource, type=_Kind).type, entry.resource)
        for entry in msgspec.json.decode(bundle, type=_Bundle).entries
    ]
    patient = next((_read(raw).id for kind, raw in kinds if kind == "Patient"), None)
    if patient is None:
        return ()
    teams = [_read(raw) for kind, raw in kinds if kind == "CareTeam"]
    visits = [_read(raw) for kind, raw in kinds if kind == "Encounter"]
    found: dict[str, Relation] = {}
    for source in (*sorted(filter(_is_active, teams), key=_start), *sorted(visits, key=_start)):
        for practitioner in _practitioners(source):
            relation = Relation(
                practitioner,
                f"Patient/{patient}",
                source.period.start,
                f"{source.type}/{source.id}",
            )
            found.setdefault(practitioner, relation)
    return tuple(found.values())


def _read(raw: msgspec.Raw) -> _Resource:
    return msgspec.json.decode(raw, type=_Resource)


def _is_active(team: _Resource) -> bool:
    return team.status == "active"


def _start(resource: _Resource) -> str:
    return resource.period.start or ""


def _practitioners(resource: _Resource) -> tuple[str, ...]:
    named = (p.individual.reference or p.member.reference for p in resource.participants)
    return tuple(reference for reference in named if reference.startswith("Practitioner/"))
