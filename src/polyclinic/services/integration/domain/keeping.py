"""How new a kept resource is and whence it came; placeholders and what they lead to."""

from typing import Any

from polyclinic.services.integration.domain.intents import Rank
from polyclinic.services.integration.domain.naming import place_of

Resource = dict[str, Any]
RANK = "urn:polyclinic:message-rank"
CHANNEL = "urn:polyclinic:channel:"


def rank_of(resource: Resource | None) -> Rank:
    """How new what is kept is, in the sender's own terms; () where no message said it."""
    for each in ((resource or {}).get("meta") or {}).get("extension") or ():
        if each.get("url") == RANK:
            return tuple(each.get("valueString", "").split("|"))
    return ()


def is_older(said: Rank, kept: Rank) -> bool:
    """Whether news are older than what is kept; what has no rank is never older."""
    return bool(said) and bool(kept) and said < kept


def is_only_new(said: Rank) -> bool:
    """Whether a document is written only where there is none: it says nothing of when."""
    return bool(said) and not any(said)


def channel_of(resource: Resource) -> str:
    """The channel by which a document came last."""
    source = (resource.get("meta") or {}).get("source") or ""
    return source.removeprefix(CHANNEL) if source.startswith(CHANNEL) else ""


def stamped(resource: Resource, channel: str, rank: Rank) -> Resource:
    """The resource with whence it came and how new it is."""
    meta = dict(resource.get("meta") or {})
    others = [each for each in meta.get("extension") or () if each.get("url") != RANK]
    mine = [{"url": RANK, "valueString": "|".join(rank)}] if any(rank) else []
    meta["source"] = f"{CHANNEL}{channel}"
    meta.pop("extension", None)
    if others or mine:
        meta["extension"] = [*others, *mine]
    return {**resource, "meta": meta}


def changed(kept: Resource, now: Resource) -> bool:
    """Whether anything but whence and when differs."""
    return _bare(kept) != _bare(now)


def _bare(resource: Resource) -> Resource:
    return {name: value for name, value in resource.items() if name != "meta"}


def given_up(kept: Resource, made: Resource) -> Resource:
    """A chart that was joined with another: what that says stays, whatever a sender says."""
    if not kept.get("link"):
        return made
    rest = {name: value for name, value in made.items() if name not in ("link", "active")}
    own = {name: kept[name] for name in ("link", "active") if name in kept}
    return {**rest, **own}


def placeholders(value: Any) -> set[str]:
    """All references of a resource that are still to be bound."""
    if isinstance(value, dict):
        own = value.get("reference")
        found = {own} if isinstance(own, str) and own.startswith("#") else set[str]()
        return found.union(*(placeholders(each) for each in value.values()))
    if isinstance(value, list):
        return set[str]().union(*(placeholders(each) for each in value))
    return set()


def practitioners(value: Any) -> set[tuple[str, str]]:
    """The numbers by which a resource names practitioners without pointing at them."""
    if isinstance(value, dict):
        number = _practitioner(value)
        found = {number} if number else set[tuple[str, str]]()
        return found.union(*(practitioners(each) for each in value.values()))
    if isinstance(value, list):
        return set[tuple[str, str]]().union(*(practitioners(each) for each in value))
    return set()


def _practitioner(value: Resource) -> tuple[str, str] | None:
    number = value.get("identifier")
    if value.get("type") != "Practitioner" or "reference" in value or not isinstance(number, dict):
        return None
    return str(number.get("system", "")), str(number.get("value", ""))


def practitioner_key(number: tuple[str, str]) -> str:
    """Under which `bound` looks for one."""
    return "Practitioner|{}|{}".format(*number)


def bound(value: Any, known: dict[str, str]) -> Any:
    """The same with references of ours in place of placeholders.

    What leads to nothing known is kept as the sender's own number: nothing dangles, nothing is
    invented.
    """
    if isinstance(value, list):
        return [bound(each, known) for each in value]
    if not isinstance(value, dict):
        return value
    reference = value.get("reference")
    if isinstance(reference, str) and reference in known:
        return {**value, "reference": known[reference]}
    if isinstance(reference, str) and (place := place_of(reference)) is not None:
        rest = {name: each for name, each in value.items() if name != "reference"}
        return {"type": place[0], "identifier": {"value": place[1]}, **rest}
    made = {name: bound(each, known) for name, each in value.items()}
    number = _practitioner(value)
    reference = known.get(practitioner_key(number)) if number else None
    return {"reference": reference, **made} if reference else made
