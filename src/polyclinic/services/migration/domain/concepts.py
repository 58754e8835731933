"""Which concept a name speaks of: our dictionary, with abbreviations and small differences."""

from collections.abc import Iterable, Mapping
from functools import cache
from importlib import resources

import msgspec
import yaml

from polyclinic.services.migration.domain.inventory.links import shortens, singular, words

OTHER = "other"
# What stands in names without saying of what they are.
_NOTHING_SAID = (
    "api rest v1 v2 get list all search find new save update delete add edit view show json xml "
    "do asp php html csv tbl table data info detail main lookup type code id no form admin "
    "system app web svc service index by day line item master file ref old tmp bak to for of a "
    "the"
)
_EMPTY = frozenset(_NOTHING_SAID.split())


class Concept(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Something that old systems keep: its names, who of ours keeps it, and how risky it is."""

    title: str
    words: tuple[str, ...]
    hints: tuple[str, ...]
    services: dict[str, float]
    risk: str
    data: str
    leaves: bool = False


@cache
def concepts() -> Mapping[str, Concept]:
    text = (resources.files("polyclinic.services.migration.domain") / "concepts.yaml").read_text()
    return msgspec.convert(yaml.safe_load(text), dict[str, Concept])


def spoken(parts: Iterable[tuple[str, float]], hints: Iterable[str] = ()) -> dict[str, float]:
    """How much names, each with its weight, and hints speak for each concept; all in 0 to 1."""
    scores: dict[str, float] = {}
    for name, weight in parts:
        for word in words(name):
            for concept, how in _of_word(word).items():
                scores[concept] = max(scores.get(concept, 0.0), how * weight)
    told = {singular(word) for hint in hints for word in (*words(hint), hint.lower())}
    for name, concept in concepts().items():
        share = len(told.intersection(concept.hints)) / (len(concept.hints) or 1)
        if share:
            scores[name] = min(1.0, scores.get(name, 0.0) + min(0.4, share))
    return scores


@cache
def _of_word(word: str) -> dict[str, float]:
    if word in _EMPTY or word.isdigit():
        return {}
    found = {name: 1.0 for name, concept in concepts().items() if word in concept.words}
    if found:
        return found
    for name, concept in concepts().items():
        how = max(_like(word, each) for each in concept.words)
        if how >= 0.5:
            found[name] = how * 0.8
    return found


def _like(word: str, known: str) -> float:
    """Abbreviations, and words that differ in a letter or carry something more."""
    if len(known) >= 5 and len(word) > len(known) and known in word:
        return 0.9
    if len(word) < 3 or len(known) < 3:
        return 0.0
    short = shortens(word, known) if len(word) < len(known) else 0.0
    return max(short if short > 0.5 else 0.0, _shared(word, known))


def _shared(one: str, other: str) -> float:
    """The share of pairs of letters that two words have in common (Dice)."""
    mine = {one[i : i + 2] for i in range(len(one) - 1)}
    theirs = {other[i : i + 2] for i in range(len(other) - 1)}
    how = 2 * len(mine & theirs) / (len(mine) + len(theirs))
    return how if how >= 0.7 else 0.0


def best(scores: Mapping[str, float]) -> tuple[str, float]:
    """The likeliest concept; `other` when nothing speaks for one."""
    if not scores:
        return OTHER, 0.0
    name = min(scores, key=lambda each: (-scores[each], each))
    return (name, scores[name]) if scores[name] >= 0.3 else (OTHER, 0.0)
