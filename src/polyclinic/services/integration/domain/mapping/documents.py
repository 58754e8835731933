"""Makes documents by recipes: which segments or groups make one, its key, its rank."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from polyclinic.services.integration.domain.intents import Document, Rank, Refused
from polyclinic.services.integration.domain.mapping import keys, tables
from polyclinic.services.integration.domain.mapping.filling import Filled, fill
from polyclinic.services.integration.domain.mapping.ranking import rank_of
from polyclinic.services.integration.domain.mapping.reading import Reading, Scope
from polyclinic.services.integration.domain.mapping.tables import Recipe
from polyclinic.standards.hl7v2 import Group, Segment

DOCUMENTS_MAX = 2_000  # of one message; more is a file that came by the wrong way


@dataclass(slots=True)
class Making:
    """A message's documents while they are made: once for each kind and key."""

    reading: Reading
    moment: Rank
    made: dict[tuple[str, str], Document] = field(default_factory=dict[tuple[str, str], Document])

    def make(self, recipe: Recipe) -> None:
        for scope in scopes(recipe.each, self.reading):
            self.make_at(recipe, scope)

    def make_at(self, recipe: Recipe, scope: Scope) -> Document | None:
        """None where the recipe does not apply, or nothing says which document it is."""
        if recipe.when is not None and not recipe.when.holds(scope.text):
            return None
        key = keys.first(recipe.key, scope)
        place = f"{scope.segment.name}" if scope.segment else recipe.each
        if key is None:
            text = f"Nothing says which {recipe.kind} that is; it is not kept."
            self.reading.note(place, text)
            return None
        filled = filled_by(recipe.fill, scope, recipe.kind)
        if not filled.resource and not filled.clears:
            return None
        if lacking := [each for each in recipe.needs if not _has(each, filled.resource)]:
            text = f"The {recipe.kind} would have no {lacking[0]}; it is not kept."
            self.reading.note(place, text, "error")
            return None
        return self.add(recipe, key, filled)

    def add(self, recipe: Recipe, key: str, filled: Filled) -> Document:
        """Raises Refused: a part of many results, kept silently, would be taken for all."""
        resource = {"resourceType": recipe.kind, **filled.resource}
        document = Document(
            recipe.kind,
            key,
            resource,
            tuple(dict.fromkeys((*recipe.clears, *filled.clears))),
            rank_of(recipe.rank, resource, self.moment),
            recipe.unites,
            filled.defaults.resource,
        )
        if len(self.made) >= DOCUMENTS_MAX:
            raise Refused("The message makes more documents than one may.")
        self.made[recipe.kind, key] = document
        return document


def _has(names: str, resource: dict[str, Any]) -> bool:
    """Whether one of `occurrenceDateTime | occurrenceString` is there."""
    return any(name in resource for name in names.split(" | "))


def filled_by(names: tuple[str, ...], scope: Scope, kind: str) -> Filled:
    """Fills one resource from several tables; each segment of that name in the group counts."""
    filled = Filled()
    for name in names:
        table = tables.tables()[name]
        for segment in _segments(table.segment, scope):
            fill(filled, table, scope.at(segment), kind)
    return filled


def _segments(name: str, scope: Scope) -> list[Segment]:
    if scope.segment is not None and scope.segment.name == name:
        return [scope.segment]
    return list(scope.named(name))


def scopes(each: str, reading: Reading) -> Iterator[Scope]:
    """One for each segment of that name, or for each group."""
    if len(each) == 3:
        for group, segment in _homes(reading.message.groups(), each):
            yield Scope(reading, tuple(group), segment)
        return
    for group in reading.message.groups().find(each):
        yield group_scope(group, reading)


def group_scope(group: Group, reading: Reading) -> Scope:
    """A group whose first segment leads."""
    segments = tuple(group.everything())
    return Scope(reading, segments, segments[0] if segments else None)


def _homes(root: Group, name: str) -> Iterator[tuple[list[Segment], Segment]]:
    """Segments with what stands in their group; at the top of a message that is only themselves."""
    for group in (root, *_all_groups(root)):
        for segment in group.own(name):
            yield ([segment] if group is root else group.everything()), segment


def _all_groups(group: Group) -> Iterator[Group]:
    for inner in group.groups:
        yield inner
        yield from _all_groups(inner)
