"""What a FHIR server must answer, worked out slowly from all resources at once.

It shares nothing with the server: `oracle_values` finds and compares what is asked for, access is
stated here in plain words.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from oracle_values import (
    CHART,
    FIRST,
    PARAMETERS,
    V3,
    matches,
    patients_of,
    references,
    sort_values,
)

DIRECTORY = {"Practitioner", "Organization"}


@dataclass(frozen=True)
class Who:
    """A caller: role, own person, what the token's scopes say (type or *, letters)."""

    role: str
    person: str | None
    scopes: tuple[tuple[str, str], ...]

    def may_ask(self, letter: str, kind: str) -> bool:
        scoped = any(name in ("*", kind) and letter in letters for name, letters in self.scopes)
        return scoped and self._role_reads(kind)

    def _role_reads(self, kind: str) -> bool:
        if kind in DIRECTORY or self.role in ("system", "clinician"):
            return True
        desk = {"Patient", "Coverage"}
        return kind in {
            "patient": {*CHART, "Patient"} - {"Group"},
            "front-desk": desk,
            "billing": desk,
        }.get(self.role, set())


class Oracle:
    """Everything that is kept, and who cares for whom."""

    def __init__(self) -> None:
        self.versions: dict[str, list[dict[str, Any] | None]] = {}
        self.relations: set[tuple[str, str]] = set()

    def keep(self, resource: dict[str, Any]) -> None:
        name = f"{resource['resourceType']}/{resource['id']}"
        self.versions.setdefault(name, []).append(resource)

    def delete(self, name: str) -> None:
        self.versions[name].append(None)

    @property
    def current(self) -> dict[str, dict[str, Any]]:
        return {name: past[-1] for name, past in self.versions.items() if past[-1] is not None}

    # Access -------------------------------------------------------------------------------------

    def sees(self, who: Who, letter: str, resource: dict[str, Any]) -> bool:
        kind = resource["resourceType"]
        if not who.may_ask(letter, kind):
            return False
        if who.role == "system":
            return True
        # "Very restricted" is shown to nobody but the patient.
        if who.role != "patient" and any(
            c["system"] == V3 and c["code"] == "V"
            for c in resource.get("meta", {}).get("security", [])
        ):
            return False
        if kind in DIRECTORY or who.role in ("front-desk", "billing"):
            return True
        concerned = patients_of(resource)
        if who.role == "clinician":
            related = any((who.person, patient) in self.relations for patient in concerned)
            return kind == "Patient" or related
        return who.role == "patient" and who.person in concerned

    def reads(self, who: Who, name: str) -> dict[str, Any] | None:
        resource = self.current.get(name)
        return resource if resource and self.sees(who, "r", resource) else None

    def history(self, who: Who, name: str) -> list[int]:
        """The numbers of the versions that may be seen, newest first; a deletion counts as what
        it deleted."""
        seen, last = [], None
        for number, resource in enumerate(self.versions.get(name, []), 1):
            last = resource or last
            if last is not None and self.sees(who, "r", last):
                seen.append(number)
        return seen[::-1]

    # Search -------------------------------------------------------------------------------------

    def search(self, who: Who, kind: str, pairs: Iterable[tuple[str, str]]) -> set[str]:
        asked = [(n, v) for n, v in pairs if n.partition(":")[0] in PARAMETERS[kind]]
        return {
            name
            for name, resource in self.current.items()
            if resource["resourceType"] == kind
            and self.sees(who, "s", resource)
            and all(matches(resource, name, value) for name, value in asked)
        }

    def included(self, who: Who, hits: Sequence[str], include: str) -> set[str]:
        _, param, *target = include.split(":")
        found = set()
        for hit in hits:
            kind = hit.partition("/")[0]
            for name in references(self.current[hit], kind, param):
                fits = not target or name.startswith(f"{target[0]}/")
                if fits and self.reads(who, name) is not None:
                    found.add(name)
        return found - set(hits)

    def pointing(self, who: Who, hits: Sequence[str], include: str) -> set[str]:
        kind, param, *_ = include.split(":")
        found = {
            name
            for name, resource in self.current.items()
            if resource["resourceType"] == kind
            and self.sees(who, "s", resource)
            and set(references(resource, kind, param)) & set(hits)
        }
        return found - set(hits)

    def order_of(self, name: str, sort: str) -> list[Any]:
        """What a resource is sorted by: two that compare equal may come in any order."""
        resource, keys = self.current[name], []
        for part in sort.split(","):
            values = sort_values(resource, part.removeprefix("-"))
            if not values or (part[0] == "-" and max(values) == FIRST):
                # Without a value, or since forever: last.
                keys.append((1, None))
            else:
                keys.append((0, Backwards(max(values)) if part[0] == "-" else min(values)))
        return keys


@dataclass(order=False)
class Backwards:
    value: Any

    def __lt__(self, other: "Backwards") -> bool:
        return other.value < self.value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Backwards) and other.value == self.value

    def __hash__(self) -> int:
        return hash(self.value)
