"""How like each other two people's details are: the same, alike, different, or not to be told."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from enum import Enum
from typing import Any

from polyclinic.services.integration.domain.nicknames import are_forms

Resource = dict[str, Any]


class Like(Enum):
    """SAME and FORM speak for one person; ALIKE may be a slip of the keys, or a twin."""

    SAME = "same"
    FORM = "another form"
    ALIKE = "alike"
    UNKNOWN = "unknown"
    DIFFERENT = "different"


_ORDER = (Like.SAME, Like.FORM, Like.ALIKE, Like.DIFFERENT)
# What is written where no name is known, or none is given yet.
_NO_FAMILY = frozenset({"unknown", "unk", "doe", "test", "noname", "anonymous", "trauma"})
_NO_GIVEN = frozenset(
    {
        "unknown", "unk", "baby", "babyboy", "babygirl", "newborn", "infant", "boy", "girl", "bb",
        "bg", "male", "female", "twin", "test", "noname", "a", "b",
    }
)  # fmt: skip
_SUFFIXES = {"jr": 2, "junior": 2, "ii": 2, "sr": 1, "senior": 1, "iii": 3, "iv": 4}


def words(text: str) -> tuple[str, ...]:
    """A name in small letters without accents, word by word."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return tuple(re.findall(r"[^\W\d_]+", re.sub(r"[\u0300-\u036f'`\u2019.]", "", plain)))


def best(found: Iterable[Like]) -> Like:
    listed = [each for each in found if each is not Like.UNKNOWN]
    return min(listed, key=_ORDER.index) if listed else Like.UNKNOWN


def families(one: Resource, other: Resource) -> Like:
    """Of all names of both; a double name is alike to each of its halves."""
    pairs = [(a, b) for a in _families(one) for b in _families(other)]
    return best(_family(a, b) for a, b in pairs)


def _families(person: Resource) -> list[tuple[str, ...]]:
    found = [words(_text(each.get("family"))) for each in _names(person)]
    return [tuple(w for w in each if w not in _SUFFIXES) for each in found if _is_said(each)]


def _is_said(family: tuple[str, ...]) -> bool:
    return bool(family) and not set(family) <= _NO_FAMILY


def _family(one: tuple[str, ...], other: tuple[str, ...]) -> Like:
    if "".join(one) == "".join(other):
        return Like.SAME
    if set(one) & set(other) and (len(one) > 1 or len(other) > 1):
        return Like.FORM
    return Like.ALIKE if is_slip("".join(one), "".join(other)) else Like.DIFFERENT


def givens(one: Resource, other: Resource) -> Like:
    """Of the names that people are called by, in all their forms; an initial is alike."""
    return best(_given(a, b) for a in _givens(one) for b in _givens(other))


def _givens(person: Resource) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    for name in _names(person):
        given = name.get("given")
        listed = [_text(each) for each in given] if isinstance(given, list) else []
        flat = tuple(w for text in listed for w in words(text))
        if flat and flat[0] not in _NO_GIVEN:
            found.append(flat)
    return found


def _given(one: tuple[str, ...], other: tuple[str, ...]) -> Like:
    first, second = one[0], other[0]
    if first == second or "".join(one) == "".join(other):
        return _middle(one, other)
    if are_forms(first, second):
        return Like.FORM
    is_initial = 1 in (len(first), len(second)) and first[0] == second[0]
    if is_initial or is_slip(first, second) or first in other[1:] or second in one[1:]:
        return Like.ALIKE
    return Like.DIFFERENT


def _middle(one: tuple[str, ...], other: tuple[str, ...]) -> Like:
    """The same first name with another middle name may be a brother's."""
    if len(one) < 2 or len(other) < 2 or "".join(one) == "".join(other):
        return Like.SAME
    return Like.SAME if one[1][0] == other[1][0] else Like.ALIKE


def swapped(one: Resource, other: Resource) -> bool:
    """Whether family and first name stand in each other's field."""
    return any(
        "".join(family) == given[0] and "".join(turned) == first[0]
        for family, first in zip(_families(one), _givens(one), strict=False)
        for turned, given in zip(_families(other), _givens(other), strict=False)
    )


def generations(one: Resource, other: Resource) -> Like:
    """Junior is not senior, even under the same name and roof."""
    a, b = _generation(one), _generation(other)
    if not a or not b:
        return Like.UNKNOWN
    return Like.SAME if a == b else Like.DIFFERENT


def _generation(person: Resource) -> int:
    for name in _names(person):
        suffix = name.get("suffix")
        texts = [_text(each) for each in suffix] if isinstance(suffix, list) else []
        for word in (w for text in (*texts, _text(name.get("family"))) for w in words(text)):
            if word in _SUFFIXES:
                return _SUFFIXES[word]
    return 0


def birth_dates(one: Resource, other: Resource) -> Like:
    """Alike: one digit other, day and month or two digits exchanged, or one of them not whole."""
    a, b = _text(one.get("birthDate")), _text(other.get("birthDate"))
    if not a or not b:
        return Like.UNKNOWN
    if a == b:
        return Like.SAME if len(a) == 10 else Like.ALIKE
    if len(a) != 10 or len(b) != 10:
        return Like.ALIKE if a.startswith(b) or b.startswith(a) else Like.DIFFERENT
    turned = f"{a[:4]}-{a[8:]}-{a[5:7]}"
    return Like.ALIKE if turned == b or is_slip(a, b, 1) else Like.DIFFERENT


def sexes(one: Resource, other: Resource) -> Like:
    """Only male and female contradict each other."""
    a, b = one.get("gender"), other.get("gender")
    if a not in ("male", "female") or b not in ("male", "female"):
        return Like.UNKNOWN
    return Like.SAME if a == b else Like.DIFFERENT


def contacts(one: Resource, other: Resource) -> Like:
    """Telephone and mail: one in common is enough."""
    return _overlap(_contacts(one), _contacts(other))


def _contacts(person: Resource) -> set[str]:
    found: set[str] = set()
    for each in _dicts(person.get("telecom")):
        value = _text(each.get("value")).casefold()
        if "@" in value:
            found.add(value)
        elif len(digits := re.sub(r"\D", "", value)) >= 7 and len(set(digits[-7:])) > 1:
            found.add(digits[-10:])
    return found


def addresses(one: Resource, other: Resource) -> Like:
    """The same street is the same address; the same postal code alone is alike."""
    streets = _overlap(_streets(one), _streets(other))
    return streets if streets is Like.SAME else _near(one, other, streets)


def _near(one: Resource, other: Resource, otherwise: Like) -> Like:
    return Like.ALIKE if _postcodes(one) & _postcodes(other) else otherwise


def _streets(person: Resource) -> set[str]:
    found: set[str] = set()
    for each in _dicts(person.get("address")):
        line = each.get("line")
        street = "".join(re.findall(r"\w+", _text(line[0]).casefold())) if line else ""
        place = _text(each.get("postalCode"))[:5] or "".join(words(_text(each.get("city"))))
        if street and place:
            found.add(f"{street}|{place}")
    return found


def _postcodes(person: Resource) -> set[str]:
    found = {_text(each.get("postalCode"))[:5] for each in _dicts(person.get("address"))}
    return found - {"", "00000", "99999"}


def _overlap(one: set[str], other: set[str]) -> Like:
    if not one or not other:
        return Like.UNKNOWN
    return Like.SAME if one & other else Like.DIFFERENT


def is_slip(one: str, other: str, most: int = 0) -> bool:
    """Whether one is the other with a slip of the keys: one in four letters, two in nine."""
    most = most or (2 if min(len(one), len(other)) >= 9 else 1)
    if min(len(one), len(other)) < 4 or abs(len(one) - len(other)) > most:
        return False
    return _distance(one, other) <= most


def _distance(one: str, other: str) -> int:
    """Letters put in, left out, changed, or two of them exchanged (optimal string alignment)."""
    before: Sequence[int] = ()
    last: Sequence[int] = range(len(other) + 1)
    for n, a in enumerate(one, 1):
        row = [n]
        for m, b in enumerate(other, 1):
            cost = min(last[m] + 1, row[m - 1] + 1, last[m - 1] + (a != b))
            if n > 1 and m > 1 and a == other[m - 2] and one[n - 2] == b:
                cost = min(cost, before[m - 2] + 1)
            row.append(cost)
        before, last = last, row
    return last[-1]


def _names(person: Resource) -> list[Resource]:
    return _dicts(person.get("name"))


def _dicts(value: Any) -> list[Resource]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""
