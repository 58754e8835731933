"""Writes docs/reference/calculators.md from the registry of calculators."""

from pathlib import Path

from polyclinic.services.insights.domain.calculators import registry
from polyclinic.services.insights.domain.calculators.describing import page

if __name__ == "__main__":
    target = Path(__file__).parents[1] / "docs" / "reference" / "calculators.md"
    target.write_text(page(registry().values()), encoding="utf-8")
    print(f"{target.name}: {len(registry())} calculators")
