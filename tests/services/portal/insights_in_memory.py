"""Insights kept in memory, behind its own JSON door: what it was asked, and what it says."""

import json
from dataclasses import dataclass, field
from typing import Any

import sample
from portal_door import Door
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

KEPT = "0192bbbb-0000-8000-8000-000000000001"
STATIN = {
    "id": "statin", "text": "Discuss a statin.", "source": "ACC/AHA 2019", "urgency": "warning",
    "draft": None,
}  # fmt: skip
PRESSURE = {
    "input": "sbp", "words": "systolic blood pressure", "value": 148.0, "unit": "mm[Hg]",
    "date": "2026-11-12T13:15:00Z", "reference": "Observation/bp-1", "assumed": False,
}  # fmt: skip
SCORED = {
    "method": "prevent", "version": "2023", "title": "Risk of cardiovascular disease",
    "status": "scored", "citation": "Khan 2024", "doi": "", "attribution": "", "caution": "",
    "comparison_only": False, "assessment": KEPT, "released": False,
    "number": {"name": "cvd", "words": "cardiovascular disease", "number": 12.3, "unit": "%",
               "horizon_years": 10},
    "values": [], "band": {"name": "intermediate", "words": "intermediate"},
    "peers": "About 12 of 100 people like this one within 10 years.",
    "up": [PRESSURE | {"amount": 0.4, "scale": "logit"}], "down": [],
    "missing": [{"input": "uacr", "words": "albumin in urine", "codes": [], "why": "too old"}],
    "assumed": ["heart failure"], "basis": ["Observation/bp-1"], "used": [PRESSURE],
    "action": STATIN,
}  # fmt: skip
LACKING = {
    "method": "fib-4", "title": "Liver fibrosis (FIB-4)", "status": "missing",
    "missing": [{"input": "ast", "words": "AST", "codes": [], "why": "not recorded"}],
    "would_change_most": None,
}  # fmt: skip
LINE = {
    "assessment": KEPT, "method": "prevent", "version": "2023", "title": SCORED["title"],
    "prediction": {
        "outcome": {"text": "cardiovascular disease"}, "probabilityDecimal": 12.3,
        "whenRange": {"high": {"value": 10}}, "qualitativeRisk": {"text": "intermediate"},
        "rationale": "Raised by: age 58 a, systolic blood pressure 148.0001 mm[Hg].",
    },
    "basis": [], "action": {"id": "statin", "text": "Discuss a statin."}, "urgency": "warning",
    "assessed": "2026-11-28T10:00:00Z", "state": "open", "owner": None, "due": None,
}  # fmt: skip
TOLD = {
    "assessment": KEPT, "title": "Risk of heart disease",
    "says": ["Of 100 people like you, about 12 have this."], "next": "Talk about a statin.",
    "assessed": "2026-11-28", "released": "2026-11-28T10:00:00Z", "released_by": None,
    "caution": "It is an estimate.",
}  # fmt: skip


HEAD = {
    "model": "readmission", "version": "1", "task": "readmission-30d", "state": "shadow",
    "since": "2026-11-01T10:00:00Z", "expires": "2027-11-01T10:00:00Z", "author": "a",
    "fallback": "", "threshold": 0.2, "scored": 412, "daysLeft": 338,
}  # fmt: skip
MODEL = HEAD | {
    "digest": "d", "features": ["age"], "notJudged": ["sex male"], "proposal": None,
    "gates": [
        {"gate": "outcomes", "words": "Outcomes known", "value": 240.0, "low": 200, "high": None,
         "passed": True},
        {"gate": "slope", "words": "Calibration slope", "value": None, "low": 0.8, "high": 1.2,
         "passed": False},
    ],
    "steps": [{"at": "2026-11-01T10:00:00Z", "step": "taken", "before": "", "after": "draft",
               "author": "a", "reason": "a new version", "facts": []}],
}  # fmt: skip
NO_PICTURES = {
    "outcomes": None, "calibration": [], "decisionCurve": [], "drift": [],
    "ratio": {"up": 0, "down": 0, "observedOverExpected": None}, "worklist": {},
}  # fmt: skip
PICTURES = {
    "outcomes": 240,
    "calibration": [
        {"people": 24, "expected": n / 25, "observed": n / 24 + 0.01 * (-1) ** n}
        for n in range(1, 11)
    ],
    "decisionCurve": [
        {"threshold": n / 100, "model": 0.15 - n / 400, "all": 0.16 - n / 100, "none": 0.0}
        for n in range(5, 55, 5)
    ],
    "drift": [{"feature": "sodium.last", "kind": "missing", "value": 0.14, "level": "warn"},
              {"feature": "glucose.last", "kind": "psi", "value": 0.31, "level": "act"}],
    "ratio": {"up": 1.0, "down": 0.0, "observedOverExpected": 1.07},
    "worklist": {"done": 31, "accepted": 12, "dismissed": None, "snoozed": 14},
}  # fmt: skip


@dataclass
class InsightsInMemory:
    """One chart with one score, one line in the worklist."""

    down: bool = False
    refuses: str = ""
    empty: bool = False
    told: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    model: dict[str, Any] = field(default_factory=lambda: dict(MODEL))
    pictures: dict[str, Any] = field(default_factory=lambda: dict(NO_PICTURES))
    trainings: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    shared: list[dict[str, Any]] = field(default_factory=list)

    async def answer(self, request: Request) -> Response:
        path = request.url.path.removeprefix("/insights")
        if self.down:
            return JSONResponse({}, 503)
        if request.method == "POST" and path != "/chart":
            key = request.headers["idempotency-key"]
            self.told.append((path, key, json.loads(await request.body())))
            if self.refuses:
                return JSONResponse({"error_description": self.refuses}, 404)
            return JSONResponse({})
        return JSONResponse(self._found(path))

    def _found(self, path: str) -> dict[str, Any]:
        match path:
            case "/chart":
                scores = [LACKING] if self.empty else [SCORED, LACKING]
                proposed = None if self.empty else STATIN | {"method": "prevent"}
                return {"patient": "", "empty": False, "scores": scores, "proposed": proposed,
                        "safety": []}  # fmt: skip
            case "/models":
                tasks = [{"task": "t", "title": "T", "speaks": ""}]
                return {"models": [HEAD], "tasks": tasks, "trainings": self.trainings}
            case "/models/readmission/1":
                return self.model
            case "/models/readmission/1/card":
                attributes = [
                    {"number": str(n), "title": f"Item {n}", "text": "Known.", "known": True}
                    for n in range(1, 32)
                ]
                return {"hti1": attributes}
            case "/models/readmission/1/pictures":
                return self.pictures
            case "/mine":
                return {"scores": self.shared}
            case _:
                who = {"id": sample.MARIA, "name": [{"family": "Keller", "given": ["Maria"]}],
                       "birthDate": "1968-03-14", "gender": "female"}  # fmt: skip
                person = {"patient": who, "benefit": 1, "accepted": False, "lines": [LINE]}
                return {
                    "capacity": 25, "taken": 0, "people": [] if self.empty else [person],
                    "cut": False, "reasons": {"disagree": "Clinical judgement differs"},
                    "outcomes": {"treated": "Treatment was begun"},
                }  # fmt: skip


def installs_insights(door: Door) -> InsightsInMemory:
    """Makes insights part of the installation."""
    kept = InsightsInMemory()
    methods = ["GET", "POST"]
    app = Starlette(routes=[Route("/insights/{rest:path}", kept.answer, methods=methods)])
    door.running.peers.add_local("insights", app)
    return kept
