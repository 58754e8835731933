"""The conditions of the tables: `2 = ED`, `not PV1-45`, `event in (A01, A04) and 3.1`.

`or` binds less than `and`; there are no brackets, no functions and no way to run anything.
A path alone holds where something stands there.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

Look = Callable[[str], str | None]

_CLAUSE = re.compile(
    r"(?P<no>not )?(?P<path>[A-Za-z0-9.\-]+)"
    r"(?: (?P<verb>=|!=|in|not in) (?:\((?P<many>[^()]+)\)|(?P<one>[^\s()]+)))?"
).fullmatch


@dataclass(frozen=True, slots=True)
class Clause:
    """One comparison."""

    path: str
    holds_for: frozenset[str] | None  # none: anything at all
    negated: bool

    def holds(self, look: Look) -> bool:
        found = look(self.path)
        is_so = bool(found) if self.holds_for is None else found in self.holds_for
        return is_so is not self.negated


@dataclass(frozen=True, slots=True)
class Condition:
    """Clauses joined by `and`, those joined by `or`."""

    ways: tuple[tuple[Clause, ...], ...]

    def holds(self, look: Look) -> bool:
        return any(all(clause.holds(look) for clause in way) for way in self.ways)

    @property
    def paths(self) -> tuple[str, ...]:
        return tuple(clause.path for way in self.ways for clause in way)


def read(text: str) -> Condition:
    """Raises ValueError naming the clause: a mistake of ours in a table."""
    return Condition(
        tuple(
            tuple(_clause(each.strip()) for each in way.split(" and "))
            for way in text.split(" or ")
        )
    )


def _clause(text: str) -> Clause:
    found = _CLAUSE(text)
    if not found:
        raise ValueError(f"{text!r} is no condition")
    verb = found["verb"]
    if verb is None:
        return Clause(found["path"], None, bool(found["no"]))
    values = found["many"].split(",") if found["many"] else [found["one"]]
    negated = bool(found["no"]) is not (verb in ("!=", "not in"))
    return Clause(found["path"], frozenset(value.strip() for value in values), negated)
