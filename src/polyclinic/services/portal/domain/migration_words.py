"""The move from an old system in words and pictures: stages, steps, severities, decisions."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from polyclinic.services.portal.domain.migration_pictures import used_up
from polyclinic.services.portal.domain.steps import Step, stations

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
    "A": "turn the route",
    "B": "turn it and carry rows home",
    "C": "none",
}
_FORWARD: Mapping[str, str] = {
    "shadow": "Begin to compare",
    "canary": "Begin with some patients",
    "live": "Go live",
    "retired": "Retire the old way",
}
WHOLE = 100
# counted → (its name, counted of what, the promise that it is held against)
SIGNALS: tuple[tuple[str, str, str, str], ...] = (
    ("failed", "Failed", "requests", "unavailable"),
    ("slow", "Slow", "requests", "slow"),
    ("mismatched", "Differed", "compared", "mismatched"),
)
# kind of difference → what it is
KINDS: Mapping[str, str] = {
    "value": "Another value",
    "missing": "Missing on the new side",
    "extra": "Only on the new side",
    "unreadable": "One side cannot be read",
    "capitals": "Only capitals differ",
    "spacing": "Only spaces differ",
    "order": "Another order",
    "status": "Another status of the answer",
}
DECISIONS: Mapping[str, str] = {
    "rollout": "Rollout",
    "direction": "Direction of rows",
    "source": "Old database or findings",
    "inventory": "Inventory",
    "mapping": "Service confirmed",
    "member": "Endpoint put elsewhere",
    "plan": "Plan",
    "gate": "Gate",
    "override": "Went on with open gates",
    "difference": "Verdict",
    "examples opened": "Patients' values looked at",
}
_AUTHORS: Mapping[str, str] = {
    "migration-cli": "the command line",
    "migration": "the platform itself",
}
_USES: Mapping[str, tuple[str, str]] = {
    "route": ("route", "routes"),
    "credential": ("sign-in", "sign-ins"),
    "feed": ("feed", "feeds"),
}


@dataclass(frozen=True, slots=True)
class Signal:
    """What went wrong, in shares of both sides, beside what was promised."""

    name: str
    legacy: str
    candidate: str
    budget: str
    used: int | None

    @property
    def is_over(self) -> bool:
        return self.used is not None and self.used > WHOLE


@dataclass(frozen=True, slots=True)
class Ahead:
    """A move of a capability: the step of the address, its body, and what it means."""

    path: str
    body: Mapping[str, Any]
    words: str
    button: str = ""


@dataclass(frozen=True, slots=True)
class Need:
    """Something that waits for whoever leads the move, and where it is dealt with."""

    tone: str
    icon: str
    words: str
    href: str
    button: str


def share(rule: Body) -> int:
    """How much of a capability the new side answers, in percent."""
    if rule["mode"] in ("live", "retired"):
        return 100
    return int(rule["percent"]) if rule["mode"] == "canary" else 0


def stage(rule: Body) -> str:
    word = STAGES[rule["mode"]][0]
    return f"{word} {rule['percent']}%" if rule["mode"] == "canary" else word


def steps(rule: Body) -> list[Step]:
    """The whole ladder from off to retired, with where the capability stands."""
    percents = _percents(rule)
    words = ["Off", "Shadow", *(f"{each}%" for each in percents), "Live", "Retired"]
    now = {"off": 0, "shadow": 1, "live": len(words) - 2, "retired": len(words) - 1}.get(
        rule["mode"], 1 + max(1, sum(each <= rule["percent"] for each in percents))
    )
    return stations(words, now, "warn" if rule["held"] else "")


def forward(rule: Body) -> Ahead | None:
    """The next step up, or None at the end."""
    mode, percents = rule["mode"], _percents(rule)
    higher = [each for each in percents if each > rule["percent"]]
    if mode == "canary" and higher:
        text = f"The new side answers {higher[0]}% of the patients."
        return Ahead("step", {}, text, f"Go to {higher[0]}%")
    at = MODES.index(mode) + 1
    if at == len(MODES):
        return None
    words, button = STAGES[MODES[at]][3], _FORWARD[MODES[at]]
    if MODES[at] == "canary" and percents:
        words = f"The new side answers {percents[0]}% of the patients."
        button = f"Begin with {percents[0]}%"
    return Ahead("mode", {"mode": MODES[at]}, words, button)


def backward(rule: Body) -> Ahead | None:
    """One step down, or None where there is none."""
    mode = rule["mode"]
    lower = [each for each in _percents(rule) if each < rule["percent"]]
    if mode == "canary" and lower:
        words = f"The new side answers {lower[-1]}% of the patients; the others go back at once."
        return Ahead("step", {"percent": lower[-1]}, words, f"Back to {lower[-1]}%")
    at = MODES.index(mode) - 1
    if at < 0:
        return None
    word, _, _, words = STAGES[MODES[at]]
    return Ahead("mode", {"mode": MODES[at]}, words, f"Back to {word.lower()}")


def waits_for(rule: Body, numbers: Body) -> list[str]:
    """What keeps the next step from being taken; comparing may begin at any time."""
    return [] if rule["mode"] == "off" else list(numbers["waits_for"])


def holding_gates(rule: Body, numbers: Body) -> list[Body]:
    """The plan's open gates where nothing else keeps the next step from being taken: these alone
    can be overridden."""
    found = list(numbers["gates"])
    return found if len(waits_for(rule, numbers)) == len(found) else []


def needs(rule: Body, numbers: Body) -> Iterable[Need]:
    """What one capability waits for from a person; a hold has a notice of its own."""
    name = str(rule["capability"])
    if count := int(numbers["open_differences"]):
        text = f"{name.capitalize()}: {counted(count, 'serious difference')} without a verdict."
        yield Need("warn", "warning", text, f"/move/differences?capability={name}", "Judge")
    ahead = forward(rule)
    if ahead is None or rule["held"] or rule["mode"] == "off" or numbers["waits_for"]:
        return
    if ahead.body.get("mode") == "retired" and not numbers["burn_down"]["may_retire"]:
        return
    text = f"{name.capitalize()}: the next step is due. {ahead.words}"
    yield Need("info", "up", text, f"/move/routes/{name}", "Look")


def used_words(used: Iterable[Body]) -> str:
    """2 routes, 1 sign-in"""
    many: dict[str, int] = {}
    for each in used:
        many[each["kind"]] = many.get(each["kind"], 0) + 1
    named = ((_USES.get(kind, (kind, kind)), n) for kind, n in many.items())
    return ", ".join(f"{n} {words[n > 1]}" for words, n in named)


def use_words(use: Body) -> str:
    """Accounts are known by a keyed name alone: its first signs are enough to tell two apart."""
    word = _USES.get(use["kind"], (str(use["kind"]), ""))[0].capitalize()
    name = str(use["name"])
    return f"{word} {name[:8] if use['kind'] == 'credential' else name[:60]}"


def author_words(author: str) -> str:
    return _AUTHORS.get(author, author)


def counted(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"


def evidence_words(evidence: Body) -> str:
    """What made the platform stop a rollout by itself, and what shows that a gate is passed."""
    if places := evidence.get("differences"):
        told = (f"{KINDS.get(d['kind'], d['kind'])} at {d['path'] or 'the answer'}" for d in places)
        return f"{evidence['route']}: {'; '.join(told)}"
    if compared := evidence.get("reconciliations"):
        return _compared(compared, int(evidence.get("aside", 0)))
    said = {key: value for key, value in evidence.items() if not isinstance(value, list | dict)}
    if {"signal", "bad", "total"} <= said.keys():
        return f"{said['bad']} of {said['total']}: {said['signal']}"
    if said.keys() == {"said"}:
        return str(said["said"])
    return ", ".join(f"{key} {value}" for key, value in said.items())


def _compared(found: Sequence[Body], aside: int) -> str:
    """What the comparison of both sides showed that a gate was passed by."""
    rows = sum(int(pair["rows"]) for each in found for pair in each["pairs"])
    signed = f"; {counted(aside, 'row')} put aside and signed for" if aside else ""
    return f"both sides were compared over {counted(rows, 'row')}: nothing differed{signed}"


def _percents(rule: Body) -> list[int]:
    return sorted(int(each["percent"]) for each in rule["ladder"] if each["percent"])


def signals(sides: Body, slo: Body) -> list[Signal]:
    """Both sides' shares since the step began."""
    made: list[Signal] = []
    for counted, name, of, promise in SIGNALS:
        old, new = (_share(sides.get(side, {}), counted, of) for side in ("legacy", "candidate"))
        budget = float(slo[promise])
        title = f"Slower than {slo['slow_ms']} ms" if counted == "slow" else name
        made.append(
            Signal(title, percent(old), percent(new), percent(budget), used_up(new, budget))
        )
    return made


def _share(side: Body, counted: str, of: str) -> float | None:
    total = side.get(of, 0)
    return side.get(counted, 0) / total if total else None


def percent(value: float | None) -> str:
    """0.05 → 5%; nothing counted yet is a dash."""
    return "–" if value is None else f"{value * 100:.3g}%"
