"""Writes values into objects by path: `a.b`, `a+` for a new entry, `a[name].b` for a shared one."""

from dataclasses import dataclass, field
from typing import Any

from polyclinic.services.integration.domain.mapping.tables import Hop


@dataclass(slots=True)
class Targets:
    """An object being made by path, and the list entries that rules share by name."""

    resource: dict[str, Any] = field(default_factory=dict[str, Any])
    entries: dict[tuple[str, str], Any] = field(default_factory=dict[tuple[str, str], Any])

    def set(self, hops: tuple[Hop, ...], value: Any) -> None:
        """Writes a value; on the way, objects and list entries come into being."""
        here: Any = self.resource
        way = ""
        for at, hop in enumerate(hops):
            is_last = at == len(hops) - 1
            way = f"{way}.{hop.element}"
            if not hop.entry:
                here = _into(here, hop.element, value, is_last=is_last)
                continue
            those = here.setdefault(hop.element, [])
            if is_last:
                those.append(value)
                return
            here = self._entry(way, hop, those)

    def _entry(self, way: str, hop: Hop, those: list[Any]) -> Any:
        known = None if hop.entry == "+" else self.entries.get((way, hop.entry))
        if known is None:
            known = {}
            those.append(known)
            self.entries[way, hop.entry] = known
        return known

    def has(self, hops: tuple[Hop, ...]) -> bool:
        """Whether something stands at a target; in lists, in the entry of that name."""
        here: Any = self.resource
        way = ""
        for hop in hops:
            way = f"{way}.{hop.element}"
            if not isinstance(here, dict) or hop.element not in here:
                return False
            here = here[hop.element]
            if hop.entry and hop.entry != "+":
                here = self.entries.get((way, hop.entry))
        return here is not None


def _into(here: dict[str, Any], element: str, value: Any, *, is_last: bool) -> Any:
    if is_last:
        if isinstance(value, dict) and isinstance(here.get(element), dict):
            here[element].update(value)
        else:
            here[element] = value
        return here
    return here.setdefault(element, {})


def copied(value: Any) -> Any:
    """Tables are shared; what is written into a resource is not."""
    if isinstance(value, dict):
        return {name: copied(each) for name, each in value.items()}
    return [copied(each) for each in value] if isinstance(value, list) else value
