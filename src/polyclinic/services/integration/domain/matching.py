"""Who is meant: weighs what a message says of a person against the charts that might be theirs.

Weights are bits, log2 of how much likelier an agreement is for one person than for two
(Fellegi and Sunter, 1969); ours are lower than the names' and dates' true ones, because relatives
share them. No weight is enough alone: filing for the wrong person is worse than asking.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from polyclinic.services.integration.domain import likeness
from polyclinic.services.integration.domain.intents import Identifier, Person
from polyclinic.services.integration.domain.likeness import Like

Resource = dict[str, Any]
# At least so many bits are one person; below the lower number it is somebody else.
SURE, POSSIBLE = 24.0, 9.0

# Numbers of a visit, an order or a plan say nothing of who somebody is (HL7 table 0203).
_NOT_OF_PERSONS = frozenset(
    {"AN", "VN", "ACSN", "PLAC", "FILL", "U", "FI", "BRN", "XX", "RI", "AM", "GN", "PLAN"}
)
# Insurers number a family, not a person.
_OF_FAMILIES = frozenset({"MB", "SN", "HC", "MA", "MC", "PNT", "WC", "INS"})
_NO_VALUE = frozenset(
    {
        "UNKNOWN", "UNK", "NONE", "NULL", "NA", "NIL", "NOTKNOWN", "NOMRN", "NOID", "TBD",
        "PENDING", "TEMP", "DUMMY", "SAMPLE", "0123456789",
        "123456789", "1234567890", "987654321",
    }
)  # fmt: skip

_WEIGHTS: Mapping[str, Mapping[Like, float]] = {
    "family": {Like.SAME: 6.5, Like.FORM: 4.5, Like.ALIKE: 4.0, Like.DIFFERENT: -4.0},
    "given": {Like.SAME: 5.0, Like.FORM: 4.0, Like.ALIKE: 1.5, Like.DIFFERENT: -6.0},
    "birth date": {Like.SAME: 9.0, Like.ALIKE: 3.0, Like.DIFFERENT: -8.0},
    "sex": {Like.SAME: 1.0, Like.DIFFERENT: -4.0},
    "contact": {Like.SAME: 5.0, Like.DIFFERENT: -0.5},
    "address": {Like.SAME: 4.0, Like.ALIKE: 1.0, Like.DIFFERENT: -0.5},
    "generation": {Like.SAME: 1.0, Like.DIFFERENT: -8.0},
    "number": {Like.SAME: 13.0, Like.DIFFERENT: -6.0},
}
_AGREES = (Like.SAME, Like.FORM)


@dataclass(frozen=True, slots=True)
class Judged:
    """A chart beside the message: `likes` says of each detail how like they are, in words."""

    patient: str
    score: float
    likes: Mapping[str, Like]

    @property
    def has_number(self) -> bool:
        return self.likes["number"] is Like.SAME

    @property
    def contradicts(self) -> bool:
        """Whether one person can hardly be both, whatever number they share."""
        likes = self.likes
        named = likes["given"] in _AGREES and likes["birth date"] is Like.SAME
        return (
            Like.DIFFERENT in (likes["birth date"], likes["given"], likes["generation"])
            or (likes["family"] is Like.DIFFERENT and not named)
            or (likes["sex"] is Like.DIFFERENT and not (named and likes["family"] in _AGREES))
            or (likes["birth date"] is Like.ALIKE and not _is_named(likes))
        )

    @property
    def is_confirmed(self) -> bool:
        """A number alone is no proof: something of the person has to agree as well."""
        likes = self.likes
        return any(likes[each] in _AGREES for each in ("family", "given", "birth date"))

    @property
    def is_surely_one(self) -> bool:
        """Without a number: name, date of birth and something of where they live."""
        likes = self.likes
        return (
            self.score >= SURE
            and not self.contradicts
            and likes["given"] in _AGREES
            and likes["birth date"] is Like.SAME
            and likes["number"] is not Like.DIFFERENT
        )

    @property
    def is_surely_other(self) -> bool:
        """Twins: another first name, and another number from the same register."""
        likes = self.likes
        return likes["number"] is Like.DIFFERENT and Like.DIFFERENT in (
            likes["given"],
            likes["birth date"],
            likes["generation"],
        )


def _is_named(likes: Mapping[str, Like]) -> bool:
    return likes["family"] in _AGREES and likes["given"] in _AGREES


@dataclass(frozen=True, slots=True)
class Verdict:
    """match: `patient` is meant. doubt: a person has to say. none: nobody here is meant."""

    kind: Literal["match", "doubt", "none"]
    patient: str = ""
    reason: str = ""
    judged: tuple[Judged, ...] = ()


def usable(identifiers: Sequence[Identifier]) -> tuple[Identifier, ...]:
    """The numbers by which a person may be looked for; placeholders and numbers of nobody's never.

    Those that name a person best come first.
    """
    found = [each for each in identifiers if _is_usable(each)]
    return tuple(sorted(found, key=lambda each: (each.kind != "MR", each.kind != "PI")))


def _is_usable(identifier: Identifier) -> bool:
    if identifier.kind in _NOT_OF_PERSONS | _OF_FAMILIES or not (
        identifier.system or identifier.kind
    ):
        return False
    return not is_placeholder(identifier.value)


def is_placeholder(value: str) -> bool:
    """What is written where there is no number."""
    bare = re.sub(r"[\W_]", "", value).upper()
    is_repeated = len(set(bare)) == 1 and len(bare) > 2
    return not bare.strip("0") or is_repeated or bare in _NO_VALUE or "TEST" in bare


def judge(person: Person, patient: str, resource: Resource) -> Judged:
    """Weighs one chart."""
    said = person.resource
    likes = {
        "family": likeness.families(said, resource),
        "given": likeness.givens(said, resource),
        "birth date": likeness.birth_dates(said, resource),
        "sex": likeness.sexes(said, resource),
        "contact": likeness.contacts(said, resource),
        "address": likeness.addresses(said, resource),
        "generation": likeness.generations(said, resource),
        "number": _numbers(person, resource),
    }
    if likes["family"] is likes["given"] is Like.DIFFERENT and likeness.swapped(said, resource):
        likes["family"] = likes["given"] = Like.ALIKE
    score = sum(_WEIGHTS[name].get(like, 0.0) for name, like in likes.items())
    return Judged(patient, score, likes)


def _numbers(person: Person, resource: Resource) -> Like:
    """SAME: one in common. DIFFERENT: the same register gave both a number, and not the same."""
    mine = {(each.system, each.value): each.kind for each in usable(person.identifiers)}
    theirs = {(each.system, each.value) for each in usable(identifiers_of(resource))}
    if mine.keys() & theirs:
        return Like.SAME
    if {system for system, _ in mine} & {system for system, _ in theirs}:
        return Like.DIFFERENT
    return Like.UNKNOWN


def differing(judged: Judged) -> set[str]:
    """The details in which two charts differ outright."""
    return {name for name, like in judged.likes.items() if like is Like.DIFFERENT}


def identifiers_of(resource: Resource) -> tuple[Identifier, ...]:
    """A Patient's numbers; what is no longer in use counts as well."""
    listed = resource.get("identifier")
    found: list[Identifier] = []
    for each in listed if isinstance(listed, list) else ():
        system, value = each.get("system"), each.get("value")
        if isinstance(value, str) and value:
            codings = each.get("type", {}).get("coding") or [{}]
            kind = codings[0].get("code") or ""
            found.append(Identifier(system or "", value, kind))
    return tuple(found)


def decide(
    person: Person, charts: Mapping[str, Resource], told: Mapping[str, str] | None = None
) -> Verdict:
    """Of all charts that might be meant; `told` is what people said of them: same, different.

    A chart that people called the same is meant, whatever it says; one that they called different
    never is.
    """
    told = told or {}
    same = [patient for patient, word in told.items() if word == "same"]
    if len(same) == 1 and same[0] in charts:
        return Verdict("match", same[0], "told")
    judged = [
        judge(person, patient, chart)
        for patient, chart in charts.items()
        if told.get(patient) != "different"
    ]
    ranked = tuple(sorted(judged, key=lambda each: (not each.has_number, -each.score)))
    numbered = [each for each in ranked if each.has_number]
    return _by_number(ranked, numbered) if numbered else _by_details(ranked)


def _by_number(ranked: tuple[Judged, ...], numbered: list[Judged]) -> Verdict:
    if len(numbered) > 1:
        return Verdict("doubt", reason="identifiers of several", judged=ranked)
    [found] = numbered
    if found.contradicts:
        return Verdict("doubt", reason="identifier contradicted", judged=ranked)
    if not found.is_confirmed:
        return Verdict("doubt", reason="identifier alone", judged=ranked)
    return Verdict("match", found.patient, "identifier", ranked)


def _by_details(ranked: tuple[Judged, ...]) -> Verdict:
    likely = [each for each in ranked if each.score >= POSSIBLE and not each.is_surely_other]
    if not likely:
        return Verdict("none", judged=ranked)
    if len(likely) == 1 and likely[0].is_surely_one:
        return Verdict("match", likely[0].patient, "details", ranked)
    return Verdict("doubt", reason="details alike", judged=ranked)
