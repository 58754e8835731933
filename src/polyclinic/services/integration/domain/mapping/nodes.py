"""A value of a message at any depth: a repetition, one of its components, or a single text."""

import re
from dataclasses import dataclass

from polyclinic.standards.hl7v2 import NULL, Repetition

_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")  # which no FHIR string may have
Leaves = tuple[tuple[str | None, ...], ...]


@dataclass(frozen=True, slots=True)
class Node:
    """`place` is for notes and the trace; texts are stripped, and none where nothing stands."""

    leaves: Leaves
    place: str

    @property
    def text(self) -> str | None:
        return self.get("1")

    @property
    def is_null(self) -> bool:
        """The sender says: delete it."""
        return bool(self.leaves) and all(
            leaf is NULL or (leaf is None and (i, j) != (0, 0))
            for i, component in enumerate(self.leaves)
            for j, leaf in enumerate(component)
        )

    @property
    def is_empty(self) -> bool:
        return not any(_said(leaf) for component in self.leaves for leaf in component)

    def get(self, path: str) -> str | None:
        """`4.2`, or `4` for its first subcomponent."""
        first, _, second = path.partition(".")
        at, inner = int(first) - 1, int(second or 1) - 1
        if at >= len(self.leaves) or inner >= len(self.leaves[at]):
            return None
        return _said(self.leaves[at][inner])

    def node(self, path: str) -> "Node":
        """A component, whose subcomponents are its components; or a single text."""
        first, _, second = path.partition(".")
        at = int(first) - 1
        place = f"{self.place}.{path}"
        if at >= len(self.leaves):
            return Node((), place)
        component = self.leaves[at]
        if second:
            component = component[int(second) - 1 : int(second)]
        return Node(tuple((leaf,) for leaf in component), place)


def _said(leaf: str | None) -> str | None:
    if leaf is None or leaf is NULL:
        return None
    if not leaf.isprintable():
        leaf = _CONTROLS.sub(" ", leaf)
    return leaf.strip() or None


def of_repetition(repetition: Repetition) -> Node:
    """Raises Malformed where the bytes are none of the message's character set."""
    return Node(repetition.components(), repetition.place)


def of_text(text: str | None, place: str) -> Node:
    return Node(((text,),) if text else (), place)
