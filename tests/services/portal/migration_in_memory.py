"""Migration's door in memory: a move that is half done, and what was asked of it."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from portal_door import Door
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from polyclinic.foundation import clock

LADDER = [{"percent": p, "minutes": 60, "sample": 300} for p in (0, 1, 5, 25, 50, 100)]
SLO = {"unavailable": 0.001, "slow_ms": 1000, "slow": 0.05, "mismatched": 0.001}
DIFFERENCE = "0198c0de-0000-7000-8000-000000000001"


def ago(**span: float) -> str:
    return (clock.now() - timedelta(**span)).isoformat()


def rule(capability: str, mode: str, percent: int = 0, **more: Any) -> dict[str, Any]:
    routes = [{"name": "list", "method": "GET", "path": f"/api/patients/{{mrn}}/{capability}"}]
    return {
        "capability": capability, "mode": mode, "percent": percent, "held": False, "version": 7,
        "unit": "patient", "members": 3, "automatic": False, "ladder": LADDER, "slo": SLO,
        "routes": routes, "author": "sam", "reason": "The numbers are good.",
        "made": ago(hours=5), "since": ago(hours=5), **more,
    }  # fmt: skip


def numbers(of: dict[str, Any]) -> dict[str, Any]:
    live = of["mode"] in ("canary", "live")
    sides = {
        "legacy": {"requests": 41_230, "failed": 88, "slow": 902, "compared": 41_230,
                   "mismatched": 12, "dropped": 0},
        "candidate": {"requests": 13_702, "failed": 9, "slow": 41, "compared": 13_702,
                      "mismatched": 31, "dropped": 0},
    }  # fmt: skip
    days = [
        {"day": (clock.today() - timedelta(days=n)).isoformat(), "count": 120 * n + (n % 7) * 300}
        for n in range(90)
    ]
    used = [
        {"kind": "route", "name": "list", "last": clock.today().isoformat(), "count": 1201},
        {"kind": "feed", "name": "lab-hl7", "last": clock.today().isoformat(), "count": 44},
    ]
    done = of["mode"] == "retired"
    return {
        "capability": of["capability"], "mode": of["mode"], "percent": of["percent"],
        "since": of["since"], "sides": sides if live else {}, "events_needed": 700,
        "open_differences": 2 if live else 0, "next_percent": 50,
        "waits_for": ["812 of 3000 answers were seen on this step."] if live else [],
        "feedback": [],
        "burn_down": {"used": [] if done else used, "days": [] if done else days,
                      "may_retire": done},
    }  # fmt: skip


def gate(name: str, side: str, says: str, state: str = "open", **more: Any) -> dict[str, Any]:
    return {"name": name, "side": side, "says": says, "state": state, "evidence": None,
            "author": "", **more}  # fmt: skip


def plan() -> dict[str, Any]:
    terms = [
        {"name": "failing", "side": "urgency", "weight": 3.0, "value": 0.4, "source": "measured",
         "says": "how often it answers with a fault"},
        {"name": "mostly read", "side": "ease", "weight": 2.0, "value": 0.9, "source": "measured",
         "says": "the share of requests that only read"},
        {"name": "harm", "side": "risk", "weight": 3.0, "value": 1.0, "source": "assumed",
         "says": "what a mistake costs: S1 somebody's health, S4 looks"},
    ]  # fmt: skip
    gates = [
        gate("mapping", "entry", "A person confirmed which service takes it over.", "passed",
             author="sam", evidence={"service": "records"}),
        gate("shadow", "entry", "In shadow no S1 or S2 difference is open."),
        gate("unused", "exit", "The old way has not been used for thirty days."),
    ]  # fmt: skip

    def step(name: str, title: str) -> dict[str, Any]:
        return {"capability": name, "title": title, "service": "records", "rollback": "B",
                "why_rollback": "It writes: new rows are carried back to the old system first.",
                "gates": gates}  # fmt: skip

    today = clock.today()
    return {
        "inputs": {"starts": today.isoformat(), "values": {}},
        "scores": [
            {"capability": name, "urgency": u, "ease": e, "risk": r, "priority": p, "rank": n,
             "best_rank": n, "worst_rank": n + 1, "moved_by": [], "terms": terms}
            for n, (name, u, e, r, p) in enumerate(
                [("allergies", .55, .84, .62, .2852), ("labs", .48, .7, .5, .224)], 1)
        ],
        "waves": [
            {"number": n, "begins": (today + timedelta(weeks=4 * n)).isoformat(), "moved_for": "",
             "live": (today + timedelta(weeks=4 * n + 4)).isoformat(), "steps": steps}
            for n, steps in enumerate(
                [[step("patients", "Patients"), step("allergies", "Allergies")],
                 [step("labs", "Laboratory results")]], 1)
        ],
        "gaps": [{"capability": "fax", "why": "No service of ours is known for it."}],
    }  # fmt: skip


def source() -> dict[str, Any]:
    pairs = [("patients", "both", 1204, 3), ("allergies", "forward", 2210, 17),
             ("labs", "off", 0, 0)]  # fmt: skip
    report = {
        "system": "harbor-street", "divergence": 4,
        "pairs": [{"pair": "patients", "rows": 1207, "same": 1200, "quarantined": 3, "missing": 0,
                   "different": 4, "extra": 0, "columns": {"dob": 3, "phone": 1}}],
    }  # fmt: skip
    return {
        "system": "harbor-street",
        "pairs": [{"name": n, "direction": d, "filled": d == "both", "changed": ago(days=1),
                   "moved": m, "quarantined": q} for n, d, m, q in pairs],
        "quarantine": [{"pair": "allergies", "way": "forward", "place": "onset",
                        "reason": "no date", "count": 17, "since": ago(days=2)}],
        "reconciled": {"at": ago(hours=1), "report": report},
    }  # fmt: skip


@dataclass
class MigrationInMemory:
    """Answers as migration does, and remembers each change that was asked for."""

    rules: list[dict[str, Any]] = field(
        default_factory=lambda: [
            rule("allergies", "canary", 25),
            rule("appointments", "live", 100),
            rule("labs", "shadow"),
            rule("notes", "off", held=True),
            rule("patients", "retired"),
        ]
    )
    asked: list[tuple[str, str, Any]] = field(default_factory=list)
    refuses: tuple[int, str] | None = None
    # The plan's gates that are open, by capability.
    gates: dict[str, list[dict[str, Any]]] = field(default_factory=dict[str, list[dict[str, Any]]])
    is_empty: bool = False
    many: int = 0

    def beside(self, door: Door) -> Door:
        """Makes migration part of the installation."""
        door.running.peers.add_local("migration", self.app())
        return door

    def app(self) -> Starlette:
        return Starlette(routes=[Route("/migration/{path:path}", self.answer,
                                       methods=["GET", "POST", "PUT"])])  # fmt: skip

    async def answer(self, request: Request) -> Response:
        path = request.path_params["path"]
        if request.method != "GET":
            self.asked.append((request.method, path, await request.json()))
            if self.refuses is not None:
                status, text = self.refuses
                return JSONResponse({"kind": "Refused", "error_description": text}, status)
            return JSONResponse({})
        found = self.shown(path.split("/"))
        missing = {"kind": "NotFound", "error_description": "There is no such thing."}
        return JSONResponse(missing if found is None else found, 404 if found is None else 200)

    def shown(self, path: list[str]) -> Any:
        rules = [] if self.is_empty else self.rules
        match path:
            case ["routes"]:
                return {"routes": rules}
            case ["routes", name]:
                found = next((r for r in rules if r["capability"] == name), None)
                return found and {"rule": found, "numbers": self._numbers(found)}
            case ["routes", _, "feedback"]:
                said = [{"id": "1", "side": "candidate", "liked": True, "effort": 6,
                         "at": ago(days=1),
                         "request": None, "text": "Found it <at once>."}]  # fmt: skip
                counted = [{"side": "candidate", "said": 9, "liked": 8, "disliked": 1,
                            "effort": 5.8}]  # fmt: skip
                return {"numbers": counted, "said": said}
            case _:
                return self._more(path)

    def _numbers(self, found: dict[str, Any]) -> dict[str, Any]:
        gates, made = self.gates.get(found["capability"], []), numbers(found)
        said = [f"Gate {g['name']} of plan {g['plan']} is open." for g in gates]
        return {**made, "gates": gates, "waits_for": [*made["waits_for"], *said]}

    def _more(self, path: list[str]) -> Any:
        some = not self.is_empty
        match path:
            case ["incidents"]:
                one = {"id": "1", "capability": "notes", "kind": "burned its error budget",
                       "at": ago(hours=2), "version": 6, "percent": 5,
                       "evidence": {"signal": "unavailable", "bad": 12, "total": 400}}  # fmt: skip
                return {"incidents": [one] if some else []}
            case ["sources"]:
                return {"sources": [{"system": "harbor-street", "version": 1}] if some else []}
            case ["sources", _]:
                return source()
            case ["inventories"]:
                one = {"name": "harbor", "title": "Harbor Street", "author": "sam", "made": ago()}
                return {"inventories": [one] if some else []}
            case ["inventories", "harbor", "plan"]:
                return {"version": 3, "plan": plan()}
            case ["differences", _, "examples"]:
                shape = {"at": ago(hours=1), "legacy": "Xxxxxxxxxx", "candidate": None}
                return {"examples": [shape]}
            case _:
                return self._judged(path)

    def _judged(self, path: list[str]) -> Any:
        some = not self.is_empty
        match path:
            case ["differences"]:
                made = {"id": DIFFERENCE, "capability": "allergies", "route": "list",
                        "path": "allergies[].Substance", "kind": "text", "seen": 31, "wavering": 2,
                        "first_at": ago(days=3), "last_at": ago(hours=1), "owner": None,
                        "verdict": None, "until": None, "note": None}  # fmt: skip
                other = {**made, "severity": 3, "path": "phone", "verdict": "expected",
                         "until": ago(days=-9), "owner": "Ana", "note": "No spaces."}  # fmt: skip
                more = [{**other, "id": f"{DIFFERENCE[:-4]}{n:04}"} for n in range(2, self.many)]
                found = [{**made, "severity": 1}, other, *more]
                return {"differences": found if some else []}
            case ["decisions"]:
                made = [{"number": n, "at": ago(days=60 - n), "author": "subject-administrator",
                         "kind": "step", "subject": "allergies", "text": "Due.", "value": {},
                         "digest": f"{n:064x}"} for n in range(60, 10, -1)]  # fmt: skip
                return {"decisions": made if some else []}
            case _:
                return None
