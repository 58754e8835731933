"""Conditions, allergies, visits and the people who care: what is active, and since when."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from polyclinic.services.portal.domain.reading import (
    TAG,
    Moment,
    Resource,
    bare,
    codes,
    human_name,
    inner,
    kept,
    moment,
    objects,
    reference,
    text,
    words,
)

# Facts about a life rather than an illness: useful to staff, not a "condition" to a patient.
CIRCUMSTANCES = frozenset(
    [
        "224299000",
        "160904001",
        "160903007",
        "266948004",
        "73438004",
        "73595000",
        "422650009",
        "423315002",
        "446654005",
        "706893006",
        "424393004",
        "713458007",
        "741062008",
        "32911000",
        "5251000175109",
        "224295006",
        "105531004",
        "160701002",
        "266934004",
        "314529007",
        "1187604002",
        "224355006",
        "183996000",
        "18383003",
        "425195002",
    ]
)
GONE = frozenset({"resolved", "inactive", "remission"})
NO_ALLERGY = frozenset({"716186003", "409137002", "428607008"})
VISIT = {
    "AMB": "Clinic visit",
    "EMER": "Emergency",
    "IMP": "Hospital stay",
    "ACUTE": "Hospital stay",
    "NONAC": "Hospital stay",
    "OBSENC": "Observation stay",
    "HH": "Home visit",
    "VR": "Video or phone",
    "SS": "Short stay",
    "PRENC": "Before admission",
}


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition as it is shown."""

    name: str
    is_active: bool
    is_circumstance: bool
    since: Moment | None
    until: Moment | None
    certainty: str


@dataclass(frozen=True, slots=True)
class Allergy:
    """What somebody reacts to, and how."""

    name: str
    reaction: str
    is_severe: bool

    @property
    def text(self) -> str:
        return f"{self.name}: {self.reaction}" if self.reaction else self.name


@dataclass(frozen=True, slots=True)
class Allergies:
    """Whether anybody asked is part of the answer: nothing recorded is not "none"."""

    known: tuple[Allergy, ...]
    none_known: bool

    @property
    def words(self) -> str:
        return "No known allergies" if self.none_known else "No allergies recorded"


@dataclass(frozen=True, slots=True)
class Visit:
    """An encounter as it is shown."""

    kind: str
    what: str
    when: Moment | None
    who: str
    where: str
    status: str


def read_conditions(conditions: Iterable[Resource]) -> list[Condition]:
    """Each condition once: active ones first, the newest first."""
    groups: dict[tuple[str, bool], list[Condition]] = {}
    for resource in kept(conditions):
        if "refuted" not in codes(resource.get("verificationStatus")):
            condition = _condition(resource)
            groups.setdefault((condition.name, condition.is_active), []).append(condition)
    active = {name for name, is_active in groups if is_active}
    merged = [_merged(g) for (name, on), g in groups.items() if on or name not in active]
    newest = sorted(merged, key=lambda c: c.since.sort if c.since else "", reverse=True)
    return sorted(newest, key=lambda c: not c.is_active)


def read_allergies(resources: Iterable[Resource]) -> Allergies:
    found: dict[str, Allergy] = {}
    none_known = False
    for resource in kept(resources):
        status = codes(resource.get("clinicalStatus"))
        if GONE & set(status) or "refuted" in codes(resource.get("verificationStatus")):
            continue
        if NO_ALLERGY & set(codes(resource.get("code"))):
            none_known = True
            continue
        allergy = _allergy(resource)
        found.setdefault(allergy.name, allergy)
    known = sorted(found.values(), key=lambda a: (not a.is_severe, a.name))
    return Allergies(tuple(known), none_known and not known)


def read_visits(encounters: Iterable[Resource], people: Mapping[str, str]) -> list[Visit]:
    found = [_visit(resource, people) for resource in kept(encounters)]
    return sorted(found, key=lambda v: v.when.sort if v.when else "", reverse=True)


def people_of(resources: Iterable[Resource]) -> dict[str, str]:
    """Names by reference, of practitioners and organisations that came along."""
    names: dict[str, str] = {}
    for resource in resources:
        kind, key = resource.get("resourceType"), resource.get("id")
        if kind == "Practitioner":
            given, family = human_name(resource)
            # One way to write "Dr" for all of them, as the rest of the portal does.
            prefix = text(inner(resource, "name", "prefix")).removesuffix(".")
            names[f"Practitioner/{key}"] = " ".join(p for p in (prefix, given, family) if p)
        elif kind in {"Organization", "Location"}:
            names[f"{kind}/{key}"] = text(resource.get("name"))
    return names


def care_team(
    teams: Iterable[Resource], encounters: Iterable[Resource], people: Mapping[str, str]
) -> list[tuple[str, str]]:
    """Who cares, with role: from active care teams, then whom the person saw most often."""
    found = {name: role for team in kept(teams) for name, role in _members(team, people)}
    seen: dict[str, int] = {}
    for encounter in encounters:
        for participant in objects(encounter.get("participant")):
            if name := _person(participant.get("individual"), people):
                seen[name] = seen.get(name, 0) + 1
    for name in sorted(seen, key=lambda n: -seen[n])[:3]:
        found.setdefault(name, "Seen at visits")
    return list(found.items())[:5]


def _members(team: Resource, people: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    if team.get("status") in {"inactive", "proposed", "suspended"}:
        return
    for member in objects(team.get("participant")):
        name = _person(member.get("member"), people)
        if name and reference(member.get("member")).startswith("Practitioner"):
            role = bare(words(inner(member, "role")))
            # "Healthcare professional" says no more than that somebody cares.
            yield name, "Care team" if role in {"", "Healthcare professional"} else role


def wanted_people(resources: Iterable[Resource], most: int = 60) -> list[str]:
    """References to practitioners whose names are needed, in order of appearance."""
    found: dict[str, None] = {}
    for resource in resources:
        for participant in objects(resource.get("participant")):
            for name in ("member", "individual"):
                said = reference(participant.get(name))
                if said.startswith("Practitioner/"):
                    found[said] = None
    return list(found)[:most]


def _person(value: object, people: Mapping[str, str]) -> str:
    named = people.get(reference(value)) or text(inner(value, "display"))
    return re.sub(r"(?<=[A-Za-zÀ-ÿ])\d+\b", "", named)


def _condition(resource: Resource) -> Condition:
    name = words(resource.get("code"))
    status = set(codes(resource.get("clinicalStatus")))
    until = moment(resource.get("abatementDateTime")) or moment(
        inner(resource, "abatementPeriod", "start")
    )
    kind = TAG.search(name)
    social = bool(CIRCUMSTANCES & set(codes(resource.get("code"))))
    certainty = words(resource.get("verificationStatus")).lower()
    return Condition(
        name=bare(name) or "Condition without a name",
        is_active=not (GONE & status) and (bool(status) or until is None),
        is_circumstance=social or (kind is not None and kind.group(1) in {"person", "situation"}),
        since=moment(resource.get("onsetDateTime"))
        or moment(inner(resource, "onsetPeriod", "start"))
        or moment(resource.get("recordedDate")),
        until=until,
        certainty="" if certainty in {"confirmed", ""} else certainty,
    )


def _merged(group: list[Condition]) -> Condition:
    dated = sorted((c for c in group if c.since), key=lambda c: c.since.sort if c.since else "")
    if not dated:
        return group[0]
    # An ongoing condition counts from its first record, a past one is shown by its last.
    return dated[0] if dated[0].is_active else dated[-1]


def _allergy(resource: Resource) -> Allergy:
    reaction = next(objects(resource.get("reaction")), {})
    shown = ", ".join(bare(words(m)).lower() for m in objects(reaction.get("manifestation")))
    severe = resource.get("criticality") == "high" or reaction.get("severity") == "severe"
    name = re.sub(r"^Allergy to ", "", bare(words(resource.get("code"))))
    return Allergy(name[:1].upper() + name[1:] or "Allergy without a name", shown, severe)


def _visit(resource: Resource, people: Mapping[str, str]) -> Visit:
    kind = text(inner(resource, "class", "code"))
    who = next(
        (
            n
            for p in objects(resource.get("participant"))
            if (n := _person(p.get("individual"), people))
        ),
        "",
    )
    place = inner(resource, "serviceProvider")
    # A reason without a coding is the sender's note to itself.
    reason = bare(text(inner(resource, "reasonCode", "coding", "display")))
    what = bare(words(inner(resource, "type")))
    return Visit(
        kind=VISIT.get(kind, "Visit"),
        what=f"{what}: {reason}" if reason and what and reason != what else what or reason,
        when=moment(inner(resource, "period", "start")),
        who=who,
        where=people.get(reference(place)) or text(inner(place, "display")),
        status=text(resource.get("status")).replace("-", " ").capitalize(),
    )
