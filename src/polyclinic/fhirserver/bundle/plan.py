"""What each entry of a transaction writes, and where references to it lead."""

from dataclasses import dataclass, field

from polyclinic.fhirserver.bundle.entries import Entry
from polyclinic.fhirserver.rest import reading
from polyclinic.fhirserver.rest.answer import Answer
from polyclinic.fhirserver.rest.conditional import Criteria
from polyclinic.fhirserver.store.read import NoSuchResource
from polyclinic.foundation import ids
from polyclinic.foundation.errors import Invalid

ORDER = {"DELETE": 0, "POST": 1, "PUT": 2, "PATCH": 2, "GET": 3, "HEAD": 3}


@dataclass(slots=True)
class Plan:
    """A transaction on its way; `done` are the entries that have nothing to write."""

    entries: list[Entry]
    targets: dict[int, tuple[str, str]] = field(default_factory=dict[int, tuple[str, str]])
    matched: dict[int, str] = field(default_factory=dict[int, str])
    done: dict[int, Answer] = field(default_factory=dict[int, Answer])
    links: dict[str, str] = field(default_factory=dict[str, str])

    def place(self, existing: dict[Criteria, str]) -> None:
        """Gives every entry its place; `existing` are the ids that criteria were found to mean."""
        for entry in self.entries:
            target = self._target(entry, existing)
            if target is None:
                continue
            self.targets[entry.number] = target
            kind, name = target
            if entry.full_url is not None and entry.ask.method != "DELETE":
                self.links[entry.full_url] = f"{kind}/{name}"
            if entry.if_none_exist is not None:
                self.links[f"{kind}?{entry.if_none_exist}"] = f"{kind}/{name}"

    def _target(self, entry: Entry, existing: dict[Criteria, str]) -> tuple[str, str] | None:
        kind, criteria = entry.ask.path[0], entry.criteria
        if entry.ask.method == "POST":
            return kind, self._made(entry, criteria, existing)
        if criteria is not None:
            return self._by_criteria(entry, criteria, existing)
        name = reading.an_id(entry.ask.path[1])
        stated = (entry.ask.resource or {}).get("id", name)
        if stated != name:
            raise Invalid(
                "The resource's id must be the one of the url.", place=f"{entry.place}.resource.id"
            )
        return kind, name

    def _made(self, entry: Entry, criteria: Criteria | None, existing: dict[Criteria, str]) -> str:
        if criteria is not None and criteria in existing:
            name = existing[criteria]
            # ifNoneExist that matches: 200, and nothing is written.
            self.done[entry.number] = Answer(200, None, None, f"{entry.ask.path[0]}/{name}")
            return name
        name = ids.new_id()
        if criteria is not None:
            # The same criteria twice in one Bundle mean the same new resource.
            existing[criteria] = name
        return name

    def _by_criteria(
        self, entry: Entry, criteria: Criteria, existing: dict[Criteria, str]
    ) -> tuple[str, str] | None:
        kind, found = criteria[0], existing.get(criteria)
        if found is not None:
            self.matched[entry.number] = found
            return kind, found
        if entry.ask.method == "DELETE":
            self.done[entry.number] = Answer(204)
            return None
        if entry.ask.method == "PATCH":
            raise NoSuchResource(
                "Nothing matches these criteria.", place=f"{entry.place}.request.url"
            )
        stated = (entry.ask.resource or {}).get("id")
        return kind, ids.new_id() if stated is None else reading.an_id(stated)
