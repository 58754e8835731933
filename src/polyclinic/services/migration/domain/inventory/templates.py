"""Addresses become templates: parts that name one thing among many are replaced by `{}`.

A part is taken for an id by its shape (numbers, dates, UUIDs, letters mixed with digits, high
entropy), or because it stands among many others of its kind at the same place.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import unquote

ID = "{}"
PART_MAX, PARTS_MAX = 40, 12
# So many different words at one place, each rarely asked, are names of things.
WORDS_MAX = 12
NODES_MAX = 20_000

_VERSION = re.compile(r"v\d{1,2}(\.\d{1,2})?", re.I)
_FILE = re.compile(
    r"[A-Za-z][\w-]*\.(do|asp|aspx|jsp|php|cgi|pl|action|html?|json|xml|csv|pdf|txt)"
)
_WORD = re.compile(r"[A-Za-z][A-Za-z_.-]*[A-Za-z]?")
# A word with a number at its end (`step2`, `icd10`), not a number with letters before it.
_NUMBERED = re.compile(r"[A-Za-z]{2,}\d{1,2}")
_ASSET = re.compile(r"\.(js|css|png|gif|jpe?g|ico|svg|woff2?|ttf|map|bmp)$", re.I)


def is_asset(path: str) -> bool:
    return _ASSET.search(path) is not None


def entropy(text: str) -> float:
    """Bits for each letter."""
    total = len(text)
    return -sum(n / total * math.log2(n / total) for n in Counter(text).values())


def is_id(part: str) -> bool:
    """Whether a part of a path names one thing, by how it looks."""
    if part == ID or (part.startswith(("{", ":")) and len(part) > 1):
        return True
    if len(part) > PART_MAX or not part.isascii() or "@" in part or "%" in part:
        return True
    if _VERSION.fullmatch(part) or _FILE.fullmatch(part):
        return False
    if _NUMBERED.fullmatch(part) and part.islower():
        return False
    if any(letter.isdigit() for letter in part):
        return True
    if not _WORD.fullmatch(part):
        return True
    return len(part) >= 16 and entropy(part) > 3.6 and not ("-" in part or "_" in part)


@dataclass(slots=True)
class Node:
    """A place in the tree of paths: what came next, and how much ended here."""

    children: dict[str, "Node"] = field(default_factory=dict[str, "Node"])
    passed: int = 0


class Templates:
    """Learns paths one after the other, then says the template of each."""

    def __init__(self) -> None:
        self._root = Node()
        self._nodes = 0
        self._settled: dict[int, set[str]] = {}

    def learn(self, path: str) -> str:
        """The path with what is an id by its shape replaced; `settled` may replace more."""
        self._settled.clear()
        parts = split(path)
        node, shown = self._root, list[str]()
        for part in parts:
            word = ID if is_id(part) or self._nodes > NODES_MAX else part
            if (following := node.children.get(word)) is None:
                following = node.children[word] = Node()
                self._nodes += 1
            node = following
            node.passed += 1
            shown.append(word)
        return "/" + "/".join(shown)

    def settled(self, learned: str) -> str:
        """The template: words that stand among many of their kind are ids as well."""
        node: Node | None = self._root
        shown = list[str]()
        for part in split(learned):
            is_one_of_many = node is not None and part in self._names_at(node)
            shown.append(ID if is_one_of_many else part)
            node = None if node is None else node.children.get(part)
        return "/" + "/".join(shown)

    def _names_at(self, node: Node) -> set[str]:
        if (known := self._settled.get(id(node))) is None:
            known = self._settled[id(node)] = _names(node)
        return known


def split(path: str) -> list[str]:
    """The parts of a path, without what an application server puts behind a semicolon."""
    parts = [
        unquote(each.partition(";")[0])
        for each in path.split("?", maxsplit=1)[0].split("/")
        if each
    ]
    return [part.replace("/", "%") for part in parts[:PARTS_MAX]]


def _names(node: Node) -> set[str]:
    """The words at a place that are names of things rather than words of the program."""
    words = {word: each for word, each in node.children.items() if word != ID}
    beside = node.children.get(ID)
    looks = {word for word in words if beside is not None and _looks_made(word)}
    if len(words) - len(looks) <= WORDS_MAX:
        return looks
    shapes = Counter(_shape(each) for each in words.values())
    usual, how_many = shapes.most_common(1)[0]
    if how_many <= WORDS_MAX:
        return looks
    total = sum(each.passed for each in words.values())
    many = {w for w, n in words.items() if _shape(n) == usual and n.passed * WORDS_MAX < total * 2}
    return looks | many


def _looks_made(word: str) -> bool:
    """Capitals only, as made-up keys are that happen to have no digit."""
    return len(word) >= 6 and word.isupper() and word.isalpha()


def _shape(node: Node) -> tuple[str, ...]:
    return tuple(sorted(node.children))[:4]


def described(template: str) -> str:
    """A template as somebody wrote it (`/a/{id}`, `/a/:id`, `/a/<int:id>`) in our way."""
    parts = [each for each in template.split("?", maxsplit=1)[0].split("/") if each]
    return "/" + "/".join(ID if re.match(r"[{:<]|.*\{", each) else each for each in parts)


def names(given: Iterable[str]) -> tuple[str, ...]:
    """Names of parameters or fields, without those that are themselves somebody's number."""
    return tuple(sorted({each for each in given if re.fullmatch(r"[A-Za-z_][\w.\[\]-]{0,39}", each)
                         and sum(map(str.isdigit, each)) < 4}))  # fmt: skip
