"""The move from an old system in words and pictures: stages, steps, severities, decisions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

Body = Mapping[str, Any]
MODES = ("off", "shadow", "canary", "live", "retired")
# mode → (word, tone, icon, what it means)
STAGES: Mapping[str, tuple[str, str, str, str]] = {
    "off": ("Off", "", "dash", "The old system answers everybody."),
    "shadow": ("Shadow", "info", "search", "The old system answers; both are compared."),
    "canary": ("Canary", "warn", "people", "The new side answers some of the patients."),
    "live": ("Live", "ok", "check", "The new side answers everybody."),
    "retired": ("Retired", "ok", "lock", "The old way is closed."),
}
# severity → (word, tone)
SEVERITIES: Mapping[int, tuple[str, str]] = {
    1: ("S1 · somebody's health", "crit"),
    2: ("S2 · a visit or money", "warn"),
    3: ("S3 · how to reach somebody", "info"),
    4: ("S4 · looks", ""),
}
VERDICTS: Mapping[str, str] = {
    "bug-new": "A fault of the new side",
    "bug-legacy": "A fault of the old system",
    "expected": "Meant to differ, until a day",
    "noise": "Noise",
}
DIRECTIONS: Mapping[str, str] = {
    "off": "Nothing is moved",
    "forward": "Old to new",
    "both": "Both ways",
}
GATE_STATES: Mapping[str, tuple[str, str, str]] = {
    "open": ("Open", "", "clock"),
    "passed": ("Passed", "ok", "check"),
    "failed": ("Failed", "crit", "warning"),
    "waived": ("Waived", "warn", "dash"),
}
ROLLBACKS: Mapping[str, str] = {
    "A": "A · turn the route back",
    "B": "B · turn back and carry rows home",
    "C": "C · no way back",
}
# counted → (its name, counted of what, the promise that it is held against)
SIGNALS: tuple[tuple[str, str, str, str], ...] = (
    ("failed", "Failed", "requests", "unavailable"),
    ("slow", "Slow", "requests", "slow"),
    ("mismatched", "Differed", "compared", "mismatched"),
)
DAYS = 90
WIDTH, HEIGHT = 720, 120


@dataclass(frozen=True, slots=True)
class Step:
    """One rung of the ladder: done, now or ahead."""

    word: str
    mark: str


@dataclass(frozen=True, slots=True)
class Signal:
    """What went wrong, in shares of both sides, beside what was promised."""

    name: str
    legacy: str
    candidate: str
    budget: str
    is_over: bool


@dataclass(frozen=True, slots=True)
class Ahead:
    """A move of a capability: the step of the address, its body, and what it means."""

    path: str
    body: Mapping[str, Any]
    words: str


def share(rule: Body) -> int:
    """How much of a capability the new side answers, in percent."""
    if rule["mode"] in ("live", "retired"):
        return 100
    return int(rule["percent"]) if rule["mode"] == "canary" else 0


def stage(rule: Body) -> str:
    word = STAGES[rule["mode"]][0]
    return f"{word} {rule['percent']} %" if rule["mode"] == "canary" else word


def steps(rule: Body) -> list[Step]:
    """The whole ladder from off to retired, with where the capability stands."""
    percents = _percents(rule)
    words = ["Off", "Shadow", *(f"{each} %" for each in percents), "Live", "Retired"]
    now = {"off": 0, "shadow": 1, "live": len(words) - 2, "retired": len(words) - 1}.get(
        rule["mode"], 1 + max(1, sum(each <= rule["percent"] for each in percents))
    )
    marks = ["done" if at < now else "now" if at == now else "ahead" for at in range(len(words))]
    return [Step(word, mark) for word, mark in zip(words, marks, strict=True)]


def forward(rule: Body) -> Ahead | None:
    """The next step up, or None at the end."""
    mode, percents = rule["mode"], _percents(rule)
    higher = [each for each in percents if each > rule["percent"]]
    if mode == "canary" and higher:
        return Ahead("step", {}, f"The new side answers {higher[0]} % of the patients.")
    at = MODES.index(mode) + 1
    if at == len(MODES):
        return None
    words = STAGES[MODES[at]][3]
    if MODES[at] == "canary" and percents:
        words = f"The new side answers {percents[0]} % of the patients."
    return Ahead("mode", {"mode": MODES[at]}, words)


def backward(rule: Body) -> Ahead | None:
    """One step down, or None where there is none."""
    mode = rule["mode"]
    lower = [each for each in _percents(rule) if each < rule["percent"]]
    if mode == "canary" and lower:
        words = f"The new side answers {lower[-1]} % of the patients; the others go back at once."
        return Ahead("step", {"percent": lower[-1]}, words)
    at = MODES.index(mode) - 1
    return Ahead("mode", {"mode": MODES[at]}, STAGES[MODES[at]][3]) if at >= 0 else None


def _percents(rule: Body) -> list[int]:
    return sorted(int(each["percent"]) for each in rule["ladder"] if each["percent"])


def signals(sides: Body, slo: Body) -> list[Signal]:
    """Both sides' shares since the step began."""
    made: list[Signal] = []
    for counted, name, of, promise in SIGNALS:
        old, new = (_share(sides.get(side, {}), counted, of) for side in ("legacy", "candidate"))
        budget = float(slo[promise])
        over = new is not None and new > budget
        title = f"Slower than {slo['slow_ms']} ms" if counted == "slow" else name
        made.append(Signal(title, percent(old), percent(new), percent(budget), over))
    return made


def _share(side: Body, counted: str, of: str) -> float | None:
    total = side.get(of, 0)
    return side.get(counted, 0) / total if total else None


def percent(value: float | None) -> str:
    """0.05 → 5 %; nothing counted yet is a dash."""
    return "–" if value is None else f"{value * 100:.3g} %"


def burn(days: Sequence[Body], today: date) -> str:
    """Answers of the old side in the last ninety days, as the points of a line."""
    counted = totals(days)
    line = [counted.get(today - timedelta(days=DAYS - 1 - at), 0) for at in range(DAYS)]
    most = max(line) or 1
    points = (
        (at * WIDTH / (DAYS - 1), HEIGHT - 4 - count / most * (HEIGHT - 12))
        for at, count in enumerate(line)
    )
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def totals(days: Sequence[Body]) -> dict[date, int]:
    found: dict[date, int] = {}
    for each in days:
        day = date.fromisoformat(str(each["day"]))
        found[day] = found.get(day, 0) + int(each["count"])
    return found


def bars(score: Body) -> list[tuple[str, float]]:
    """The three sides of a priority, from 0 to 100."""
    sides = ("urgency", "ease", "risk")
    return [(side, round(float(score[side]) * 100, 1)) for side in sides]
