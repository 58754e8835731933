"""What is kept, after a message was laid over it: what is empty leaves what is there."""

from collections.abc import Callable, Mapping
from typing import Any

from polyclinic.services.integration.domain.intents import Document, Person, Resource


def laid_over(kept: Resource | None, sent: Person | Document) -> Resource:
    """The resource as it is now. Ids, versions and what the sender never speaks of stay."""
    if kept is None:
        defaults = sent.defaults if isinstance(sent, Document) else {}
        return {**defaults, **sent.resource}
    found = _without(kept, sent.clears)
    for element, value in sent.resource.items():
        before = found.get(element)
        if element in sent.unites and isinstance(before, list) and isinstance(value, list):
            found[element] = _united(element, before, value)
        elif isinstance(before, dict) and isinstance(value, dict) and element in _MERGED:
            found[element] = {**before, **value}
        else:
            found = _without_choices(found, element)
            found[element] = value
    return found


_MERGED = frozenset({"hospitalization", "period", "collection", "context", "meta"})


def _without(kept: Resource, clears: tuple[str, ...]) -> Resource:
    """`period.end` takes away an element of an element, `extension(url)` that extension."""
    found = dict(kept)
    for path in clears:
        if path.startswith("extension("):
            url = path.removeprefix("extension(").removesuffix(")")
            found["extension"] = [e for e in found.get("extension", []) if e.get("url") != url]
            continue
        first, _, second = path.partition(".")
        if not second:
            found.pop(first, None)
        elif isinstance(inside := found.get(first), dict):
            rest = {name: value for name, value in inside.items() if name != second}
            found = {name: value for name, value in found.items() if name != first}
            if rest:
                found[first] = rest
    return {name: value for name, value in found.items() if value != []}


_CHOICES = ("value", "effective", "deceased", "multipleBirth", "onset", "performed", "occurrence",
            "medication")  # fmt: skip


def _without_choices(kept: Resource, element: str) -> Resource:
    """A choice of types has one value: `valueString` takes the place of `valueQuantity`."""
    stem = next((each for each in _CHOICES if element.startswith(each) and element != each), None)
    if stem is None:
        return kept
    return {
        name: value
        for name, value in kept.items()
        if not (name.lstrip("_").startswith(stem) and name.lstrip("_")[len(stem) :][:1].isupper())
    }


def _united(element: str, kept: list[Any], sent: list[Any]) -> list[Any]:
    """The sent entries, and those kept ones that none of them replaces."""
    same = _SAME.get(element, _whole)
    replaced = {same(entry) for entry in sent}
    rest = [entry for entry in kept if same(entry) not in replaced]
    if element == "location":
        rest = [_left(entry) for entry in rest]
    return [*sent, *rest]


def _left(location: Mapping[str, Any]) -> dict[str, Any]:
    """A place where the person was before."""
    is_now = location.get("status") == "active"
    return {**location, "status": "completed"} if is_now else dict(location)


def _whole(entry: Any) -> str:
    return repr(entry)


def _identifier(entry: Mapping[str, Any]) -> str:
    return f"{entry.get('system')}|{entry.get('value')}"


def _by(name: str) -> Callable[[Mapping[str, Any]], str]:
    return lambda entry: str(entry.get(name))


def _place(entry: Mapping[str, Any]) -> str:
    where = entry.get("location", {})
    return str(where.get("identifier") or where.get("display") or where.get("reference"))


def _part(entry: Mapping[str, Any]) -> str:
    codings = (coding for each in entry.get("type", ()) for coding in each.get("coding", ()))
    return str(next((coding.get("code") for coding in codings), None))


_SAME: Mapping[str, Callable[[Any], str]] = {
    "identifier": _identifier,
    "extension": _by("url"),
    "telecom": lambda entry: f"{entry.get('use')}|{entry.get('system')}",
    "name": _by("use"),
    "address": _by("use"),
    "location": _place,
    "participant": _part,
}
