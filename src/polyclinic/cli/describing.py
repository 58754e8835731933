"""Pages that are made from the code, so that they cannot say something else than the code."""

import sys
from typing import Any

import msgspec

from polyclinic.assembly.services import SERVICES
from polyclinic.foundation.service import Service
from polyclinic.foundation.settings import PLATFORM_NOTES, Platform, Settings, variable


def show_map() -> str:
    """The services, what each is for, the paths it answers and whom it asks."""
    parts: list[str] = []
    for service in SERVICES:
        lines = [
            f"{service.name} [{service.security_class}]",
            f"  {service.about}",
            f"  answers  {', '.join((f'/{service.name}', *_others(service)))}",
            f"  asks     {', '.join(service.needs) or 'nobody'}",
        ]
        if service.owns:
            lines.append(f"  owns     {', '.join(service.owns)}")
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def _others(service: Service) -> tuple[str, ...]:
    return tuple(front for front in service.fronts if front != f"/{service.name}")


def settings_page() -> str:
    """docs/reference/settings.md: every setting, its default and its sentence."""
    parts = [
        "# Settings",
        "Made by `polyclinic settings`; do not edit. Each is an environment variable, read once "
        "when a process starts.",
        "## Every process",
        _table(None, Platform, PLATFORM_NOTES),
    ]
    for service in SERVICES:
        if msgspec.structs.fields(service.settings):
            notes = getattr(sys.modules[service.settings.__module__], "NOTES", {})
            parts += [f"## {service.name}", _table(service.name, service.settings, notes)]
    return "\n\n".join(parts) + "\n"


def _table(service: str | None, kind: type[Settings], notes: dict[str, str]) -> str:
    lines = ["| variable | default | what it says |", "|---|---|---|"]
    for field in msgspec.structs.fields(kind):
        name = variable(service, field.name)
        lines.append(f"| `{name}` | {_shown(field.default)} | {notes[field.name]} |")
    return "\n".join(lines)


def _shown(default: Any) -> str:
    return "" if default in (None, "") else f"`{default}`"
