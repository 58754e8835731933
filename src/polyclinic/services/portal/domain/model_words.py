"""How models are told on pages: their states, who may do what next, and their card in groups."""

from collections.abc import Mapping, Sequence
from typing import Any

Json = Mapping[str, Any]

# Word, tone, icon, what it means.
STATES = {
    "draft": ("Draft", "", "dash", "Nobody is scored by it."),
    "shadow": ("Silent", "info", "clock", "It scores in silence; nobody is shown anything."),
    "canary": ("One team", "warn", "people", "One team sees what it says."),
    "champion": ("Speaks", "ok", "check", "Everybody who may see a score sees it."),
    "former": ("Former", "", "clock", "It spoke before, and stands ready."),
    "withdrawn": ("Withdrawn", "crit", "warning", "It was taken out of sight."),
    "retired": ("Retired", "", "dash", "It has ended."),
}
# What is being learned: word, tone, icon.
LEARNING = {
    "waiting": ("Waits", "", "clock"),
    "learning": ("Learns", "info", "flask"),
    "done": ("Learned", "ok", "check"),
    "refused": ("Not learned", "warn", "warning"),
}
NEXT = {
    "draft": "shadow", "shadow": "canary", "canary": "champion", "withdrawn": "shadow",
    "former": "shadow",
}  # fmt: skip
LADDER = ("draft", "shadow", "canary", "champion")
SEEN = ("canary", "champion")
# The 31 attributes of HTI-1 by their numbers, in groups that are read together.
GROUPS = (
    ("What it is", 1, 4),
    ("What it is for, and for whom", 5, 8),
    ("Take care", 9, 10),
    ("What it was made of", 11, 14),
    ("Fairness", 15, 16),
    ("Tested elsewhere", 17, 20),
    ("How well it does", 21, 25),
    ("How it is watched here", 26, 31),
)


# Published scores that speak where no model does, as their authors write them.
_SCORES = {"findrisc": "FINDRISC", "lace": "LACE"}


def titles(tasks: Sequence[Json]) -> dict[str, str]:
    """What each task foretells, in words."""
    return {each["task"]: each["title"] for each in tasks}


def speaker(name: str | None) -> str:
    return _SCORES.get(name or "", name or "Nobody")


def grouped(attributes: Sequence[Json]) -> list[tuple[str, list[Json]]]:
    return [
        (name, [each for each in attributes if low <= int(each["number"]) <= high])
        for name, low, high in GROUPS
    ]


def steps(head: Json, role: str) -> list[str]:
    """What this role may do with a model in its state: propose, sign, roll back, retire."""
    runs, state = role == "administrator", head["state"]
    can = {
        "proposal": runs and state in NEXT and not head.get("proposal"),
        "signatures": bool(head.get("proposal")),
        "rollback": runs and state in SEEN,
        "retirement": runs and state != "retired",
    }
    return [step for step, may in can.items() if may]


def limits(gate: Json) -> str:
    low, high = gate["low"], gate["high"]
    if low is None:
        return f"at most {high:g}"
    return f"at least {low:g}" if high is None else f"{low:g} to {high:g}"
