"""Which codes a value set has, for `:in` and `:not-in`: one that is kept here, or one of R4's own.

https://hl7.org/fhir/R4/valueset.html#expansion for what can be counted out; no more than that.
"""

from collections.abc import Iterator
from typing import Any, Protocol

from polyclinic.fhirserver.access import Grant
from polyclinic.fhirserver.errand import Errand
from polyclinic.fhirserver.search.asks import Query, TokenAsk
from polyclinic.fhirserver.search.hits import Hit
from polyclinic.fhirserver.search.query import NotAnswered, parse
from polyclinic.foundation.errors import NotProcessable, TooCostly
from polyclinic.standards.fhir.definitions import value_set

CODES_MAX = 1000
DEPTH_MAX = 5  # value sets that are made of value sets


class NoSuchValueSet(NotProcessable):
    """That value set is not kept here."""

    code = "not-found"


class Finds(Protocol):
    """A search, as far as a value set needs it."""

    async def matching(self, errand: Errand, grant: Grant, query: Query) -> list[Hit]: ...


Codes = dict[TokenAsk, None]


async def codes_of(finds: Finds, errand: Errand, url: str, place: str) -> Codes:
    """Its codes, in their order; TooCostly beyond a thousand."""
    return await _Expansion(finds, errand, place).of_url(url, 0)


class _Expansion:
    def __init__(self, finds: Finds, errand: Errand, place: str) -> None:
        self._finds, self._errand, self._place = finds, errand, place

    async def of_url(self, url: str, depth: int) -> Codes:
        if depth > DEPTH_MAX:
            raise TooCostly("The value sets refer to each other too deeply.", place=self._place)
        own = _of_r4(url)
        if own is not None:
            return self._few(own)
        found = await self._kept("ValueSet", url)
        if found is None:
            raise NoSuchValueSet(f"There is no value set {url[:200]!r} here.", place=self._place)
        expansion = found.get("expansion")
        if isinstance(expansion, dict):
            return self._few(dict.fromkeys(_contained(expansion)))
        compose: dict[str, Any] = found.get("compose", {})
        codes: Codes = {}
        for part in compose.get("include", ()):
            codes.update(await self._part(part, depth))
            self._few(codes)
        for part in compose.get("exclude", ()):
            for code in await self._part(part, depth):
                codes.pop(code, None)
        return codes

    async def _part(self, part: dict[str, Any], depth: int) -> Codes:
        """One include: its own codes, and of these only those that all its value sets have."""
        if part.get("filter"):
            text = "The value set is made by a filter, which is not worked out here."
            raise NotAnswered(text, place=self._place)
        sets = [await self.of_url(url, depth + 1) for url in part.get("valueSet", ())]
        if "system" in part:
            sets.insert(0, await self._of_system(part))
        if not sets:
            return {}
        return {code: None for code in sets[0] if all(code in other for other in sets[1:])}

    async def _of_system(self, part: dict[str, Any]) -> Codes:
        system: str = part["system"]
        listed = part.get("concept")
        if listed is None:
            kept = await self._kept("CodeSystem", system)
            if kept is None or kept.get("content") != "complete":
                text = f"The code system {system[:200]!r} is not kept here as a whole."
                raise NoSuchValueSet(text, place=self._place)
            listed = list(_concepts(kept.get("concept", [])))
        return self._few({TokenAsk(system, concept["code"]): None for concept in listed})

    async def _kept(self, kind: str, url: str) -> dict[str, Any] | None:
        """A resource of that address that the caller may see; the newest, if there are several."""
        grant = self._errand.access.to("s", kind)
        address, _, version = url.partition("|")
        if url.startswith(f"{kind}/"):
            pairs = [("_id", url.removeprefix(f"{kind}/"))]
        else:
            pairs = [("url", address), *([("version", version)] if version else [])]
        if not address or "\0" in url or any(not value for _, value in pairs):
            return None
        escaped = [(name, _escaped(value)) for name, value in pairs]
        hits = await self._finds.matching(self._errand, grant, parse(kind, escaped))
        opened = [hit.resource for hit in hits if hit.document.body is not None]
        return opened[0] if opened else None

    def _few(self, codes: Codes) -> Codes:
        if len(codes) > CODES_MAX:
            text = f"The value set has more than {CODES_MAX} codes."
            raise TooCostly(text, place=self._place)
        return codes


def _escaped(value: str) -> str:
    for letter in "\\,|$":
        value = value.replace(letter, "\\" + letter)
    return value


def _of_r4(url: str) -> Codes | None:
    """One of the value sets that R4 requires somewhere, if its codes can be counted out."""
    try:
        known = value_set(url.partition("|")[0])
    except KeyError:
        return None
    if known.syntax is not None or not known.codes:
        return None
    return {
        TokenAsk(system, code): None
        for system in known.codes
        for code in sorted(known.codes[system])
    }


def _contained(expansion: dict[str, Any]) -> Iterator[TokenAsk]:
    """Breadth first, so that depth costs no recursion."""
    waiting = list(expansion.get("contains", ()))
    for one in waiting:
        waiting.extend(one.get("contains", ()))
        if "code" in one and not one.get("abstract"):
            yield TokenAsk(one.get("system"), one["code"])


def _concepts(concepts: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    waiting = list(concepts)
    for one in waiting:
        waiting.extend(one.get("concept", ()))
        yield one
