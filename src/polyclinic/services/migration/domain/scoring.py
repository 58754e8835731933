"""What comes first: priority = urgency × ease ÷ (1 + risk), every term of it shown and editable."""

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from polyclinic.services.migration.domain.capabilities import Capability

Side = Literal["urgency", "ease", "risk"]
SWING = 0.2

# Name, side, weight, and what it says.
TERMS: tuple[tuple[str, Side, float, str], ...] = (
    ("failing", "urgency", 3.0, "how often it answers with a fault"),
    ("slow", "urgency", 1.0, "how long the slowest twentieth takes, against two seconds"),
    ("used", "urgency", 2.0, "its share of all requests"),
    ("asked for", "urgency", 2.0, "how much its users want it replaced"),
    ("support ends", "urgency", 2.0, "how soon nobody repairs it any more"),
    ("stands alone", "ease", 2.0, "how little it needs of others"),
    ("few need it", "ease", 1.0, "how few others need it"),
    ("mostly read", "ease", 2.0, "the share of requests that only read"),
    ("understood", "ease", 2.0, "how sure its mapping is"),
    ("clean data", "ease", 1.0, "the share of rows that can be taken over as they are"),
    ("harm", "risk", 3.0, "what a mistake costs: S1 somebody's health, S4 looks"),
    ("writes", "risk", 1.0, "the share of requests that change something"),
    ("goes out", "risk", 2.0, "money or orders leave the house"),
    ("sensitive", "risk", 1.0, "what it holds of people"),
)
_ASSUMED = {"asked for": 0.3, "support ends": 0.5, "clean data": 0.6}
_HARM = {"S1": 1.0, "S2": 0.6, "S3": 0.3, "S4": 0.1}
_SENSITIVE = {"clinical": 1.0, "identity": 1.0, "unknown": 1.0, "financial": 0.7, "staff": 0.4}


class Term(msgspec.Struct, frozen=True):
    """One term with its weight; `source` says whether it was measured, assumed or edited."""

    name: str
    side: Side
    weight: float
    value: float
    source: Literal["measured", "assumed", "edited"]
    says: str


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """A capability's priority with all its terms, and its rank when a weight moves by a fifth."""

    capability: str
    urgency: float
    ease: float
    risk: float
    priority: float
    rank: int
    terms: tuple[Term, ...]
    best_rank: int = 0
    worst_rank: int = 0
    moved_by: tuple[str, ...] = ()


Weights = Mapping[str, float]
Edited = Mapping[str, Mapping[str, float]]


def scored(
    capabilities: Sequence[Capability], weights: Weights, edited: Edited
) -> tuple[Score, ...]:
    """In order of priority, with how firm that order is."""
    everything = sum(each.requests for each in capabilities)
    terms = {
        each.name: _terms(each, everything, weights, edited.get(each.name, {}))
        for each in capabilities
    }
    ranks = _ranks(terms, {})
    swings = {
        (name, way): _ranks(terms, {name: 1 + way * SWING}) for name, *_ in TERMS for way in (-1, 1)
    }
    made = [_score(name, each, ranks[name], swings) for name, each in terms.items()]
    return tuple(sorted(made, key=lambda each: each.rank))


def _score(
    name: str,
    terms: tuple[Term, ...],
    rank: int,
    swings: Mapping[tuple[str, int], Mapping[str, int]],
) -> Score:
    urgency, ease, risk = _sides(terms, {})
    seen = [ranks[name] for ranks in swings.values()]
    moved = dict.fromkeys(term for (term, _), ranks in swings.items() if ranks[name] != rank)
    return Score(
        capability=name,
        urgency=round(urgency, 4),
        ease=round(ease, 4),
        risk=round(risk, 4),
        priority=round(priority(urgency, ease, risk), 4),
        rank=rank,
        terms=terms,
        best_rank=min(rank, *seen),
        worst_rank=max(rank, *seen),
        moved_by=tuple(moved),
    )


def priority(urgency: float, ease: float, risk: float) -> float:
    return urgency * ease / (1 + risk)


def _ranks(terms: Mapping[str, tuple[Term, ...]], swing: Weights) -> dict[str, int]:
    worth = {name: priority(*_sides(each, swing)) for name, each in terms.items()}
    ordered = sorted(worth, key=lambda name: (-worth[name], name))
    return {name: rank for rank, name in enumerate(ordered, 1)}


def _sides(terms: tuple[Term, ...], swing: Weights) -> tuple[float, float, float]:
    """The weighted mean of each side."""
    sums: dict[str, float] = {}
    weights: dict[str, float] = {}
    for term in terms:
        weight = term.weight * swing.get(term.name, 1.0)
        sums[term.side] = sums.get(term.side, 0.0) + weight * term.value
        weights[term.side] = weights.get(term.side, 0.0) + weight
    urgency, ease, risk = (
        sums[side] / weights[side] if weights[side] else 0.0 for side in ("urgency", "ease", "risk")
    )
    return urgency, ease, risk


def _terms(
    each: Capability, everything: int, weights: Weights, edited: Mapping[str, float]
) -> tuple[Term, ...]:
    measured = _measured(each, everything)
    made: list[Term] = []
    for name, side, weight, says in TERMS:
        value = edited.get(name, measured.get(name, _ASSUMED.get(name, 0.0)))
        source = "edited" if name in edited else "measured" if name in measured else "assumed"
        kept = round(min(1.0, max(0.0, value)), 4)
        made.append(Term(name, side, weights.get(name, weight), kept, source, says))
    return tuple(made)


def _measured(each: Capability, everything: int) -> dict[str, float]:
    requests = each.requests
    writes = each.writes / requests if requests else float(each.writing)
    found = {
        "stands alone": 1 / (1 + len(each.depends_on) / 2),
        "few need it": 1 / (1 + len(each.used_by) / 4),
        "mostly read": 1 - writes,
        "understood": each.confidence,
        "harm": _HARM.get(each.risk, 0.3),
        "writes": writes,
        "goes out": float(each.leaves),
        "sensitive": _SENSITIVE.get(each.data, 0.0),
    }
    if requests:
        found["failing"] = min(1.0, 20 * each.failed / requests)
        # The root: a tenth of all requests is a third of the worth of all of them.
        found["used"] = (requests / everything) ** 0.5
    if each.p95_ms is not None:
        found["slow"] = min(1.0, each.p95_ms / 2000)
    return found
