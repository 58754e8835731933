"""The models that are shipped, as the drafts that every clinic has from the first day on."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from polyclinic.services.insights.domain import models
from polyclinic.services.insights.domain.models import Model

_FOLDER = Path(models.__file__).parent / "shipped"


@dataclass(frozen=True, slots=True)
class Introduced:
    """A model's bytes, and what its card says; `threshold` is a chance, `fallback` a calculator."""

    model: Model
    content: bytes
    record: Mapping[str, str]
    threshold: float
    fallback: str


@cache
def introduced() -> tuple[Introduced, ...]:
    """By the names of their files; raises BadModel or KeyError for what is not whole."""
    said = yaml.safe_load((_FOLDER / "cards.yaml").read_text(encoding="utf-8"))
    return tuple(_read(file, said) for file in sorted(_FOLDER.glob("*.json")))


def _read(file: Path, said: Mapping[str, Any]) -> Introduced:
    content = file.read_bytes()
    model = models.load(content)
    own, facts = said["models"][model.id], _facts(model)
    statements = {**said["common"], **own["statements"]}
    record = {name: text.format_map(facts) for name, text in statements.items()}
    return Introduced(model, content, record, own["threshold"], own["fallback"])


def _facts(model: Model) -> dict[str, Any]:
    """What a statement may be filled in with; intervals are the middle 95 %."""
    of, numbers = model.record, model.record["numbers"]["all"]
    return {
        "form": of["form"].capitalize(),
        "cases": of["cases"],
        "persons": of["persons"],
        "outcomes": of["outcomes"],
        "share": of["share_with_outcome"],
        "measured": of["measured"],
        "credit": of["credit"],
        "limits": " ".join(of["limits"]),
        "candidates": "; ".join(f"{name} {_interval(each)}" for name, each in
                                of["candidates"].items()),
        "groups": "; ".join(
            f"{each['group']}: AUROC {_interval(each['auroc'])},"
            f" observed over expected {_interval(each['oe'], 2)}"
            for each in of["groups"]
        ),
        "features": "; ".join(f"{each.words} ({each.source})" for each in model.features),
        **{name: _interval(numbers[name]) for name in ("auroc", "ece", "slope", "oe")},
    }  # fmt: skip


def _interval(found: tuple[float, float, float], digits: int = 3) -> str:
    value, low, high = (f"{each:.{digits}f}" for each in found)
    return f"{value} ({low} to {high})"
