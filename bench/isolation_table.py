"""What the isolation experiment found: a table, whether the aims are met, and one drawing."""

import statistics
from dataclasses import dataclass
from typing import Any

from bench import figure

ARMS = ("one process", "apart", "apart, weighted", "control, weighted")


@dataclass
class Plan:
    seconds: int = 15
    repeats: int = 2
    levels: tuple[float, ...] = (0, 0.5, 1, 2, 4, 8)


@dataclass
class Step:
    """One level of the rush on one arm."""

    arm: str
    level: float
    repeat: int
    records: dict[str, Any]
    bookings: dict[str, Any] | None
    cores: float  # that the side of the bookings used


def middle(steps: list[Step], arm: str, level: float, key: str = "p99") -> float:
    return statistics.median(s.records[key] for s in steps if (s.arm, s.level) == (arm, level))


def errors(steps: list[Step], arm: str) -> int:
    """Requests to records that were not answered as wanted."""
    own = [each.records for each in steps if each.arm == arm]
    return sum(each["sent"] - each["good"] for each in own)


def markdown(
    steps: list[Step], plan: Plan, shares: str, capacity: dict[str, dict[str, float]]
) -> str:
    heads = ["records p99, ms", *(f"{level:g}×" for level in plan.levels), "I_QoS 4×", "errors"]
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for arm in ARMS:
        cells = [f"{middle(steps, arm, level):.1f}" for level in plan.levels]
        damage = "–"
        if {0, 4} <= set(plan.levels):
            alone = middle(steps, arm, 0)
            # Krebs, Momm, Kounev: relative damage for each relative extra load.
            damage = f"{(middle(steps, arm, 4) - alone) / alone / 4:.2f}"
        lines.append("| " + " | ".join([arm, *cells, damage, str(errors(steps, arm))]) + " |")
    lines.append("")
    for arm in ARMS[:3]:
        good = [
            statistics.median(
                s.bookings["good"] / s.bookings["seconds"]
                for s in steps
                if s.bookings and (s.arm, s.level) == (arm, level)
            )
            for level in plan.levels
            if level
        ]
        able = capacity[arm]["bookings"]
        lines.append(
            f"{arm}: records can do {capacity[arm]['records']:,.0f}/s, bookings {able:,.0f}/s; "
            "answered bookings, of what they can do: "
            + ", ".join(f"{rate / able:.0%}" for rate in good)
        )
    lines += ["", f"Weights: {shares}. {plan.repeats} × {plan.seconds} s a level, medians."]
    return "\n".join([*lines, *verdict(steps, plan)])


def verdict(steps: list[Step], plan: Plan) -> list[str]:
    if not {0, 4} <= set(plan.levels):
        return []
    ours, control = ARMS[2], ARMS[3]
    at = middle(steps, ours, 4)
    alone, hog = at / middle(steps, ours, 0), at / middle(steps, control, 4)
    wrong = errors(steps, ours)
    met = "yes" if alone <= 2 and hog <= 1.3 and not wrong else "**no**"
    return [
        f"Weighted at 4×: p99 {alone:.2f} of alone (aim ≤ 2), "
        f"{hog:.2f} of the control (aim ≤ 1.3), "
        f"{wrong} errors (aim 0): met: {met}"
    ]


def draw(steps: list[Step], plan: Plan) -> str:
    lines = {arm: [(level, middle(steps, arm, level)) for level in plan.levels] for arm in ARMS}
    about = "; ".join(
        f"{arm}: " + ", ".join(f"{x:g} times {y:.0f} ms" for x, y in points)
        for arm, points in lines.items()
    )
    foot = "rush on bookings, in multiples of what appointments can do"
    return figure.drawing(lines, "How slow records are while bookings are rushed", about, foot)
