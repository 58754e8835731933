"""Integration kept in memory, behind its own JSON door: what it was asked, and what it says."""

import json
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import sample
from portal_door import Door
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from polyclinic.foundation import clock

ONE, TWO = "0192aaaa-0000-7000-8000-000000000001", "0192aaaa-0000-7000-8000-000000000002"
RAW = "MSH|^~\\&|HIS|MAIN|||20261128||ADT^A08|C1|P|2.5.1\rPID|1||204^^^MAIN^MR||Keller^Maria\r"
PERSON = {
    "name": [{"family": "Keller", "given": ["Marie"]}],
    "birthDate": "1968-03-14",
    "gender": "female",
    "identifier": [{"system": "urn:oid:1.2.3", "value": "204"}],
}


def ago(hours: float) -> str:
    return (clock.now() - timedelta(hours=hours)).isoformat()


def message(name: str = ONE, state: str = "parked", **changes: Any) -> dict[str, Any]:
    value = {
        "id": name, "number": 7, "channel": "adt", "channel_version": 2, "way": "mllp",
        "kind": "ADT^A08", "received": ago(3), "answer": "AA", "state": state,
        "reason": "Invalid", "problem": "An owner refused it: Invalid.", "tries": 1,
        "patients": [f"Patient/{sample.MARIA}"], "parent": None, "changed": ago(3),
        "next_try": None, "at_work": False, "content": True,
    }  # fmt: skip
    return value | changes


@dataclass
class IntegrationInMemory:
    """Two messages, one question, one channel."""

    down: bool = False
    refuses: str = ""
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    told: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    messages: list[dict[str, Any]] = field(
        default_factory=lambda: [message(), message(TWO, "done", problem="", reason="")]
    )

    async def answer(self, request: Request) -> Response:
        path = request.url.path.removeprefix("/integration")
        if self.down:
            return JSONResponse({}, 503)
        if path == "/messages/search":
            assert not request.query_params, "numbers of people stand in no address"
            asked = json.loads(await request.body())
            self.asked.append((path, asked))
            return JSONResponse(self._listed(asked))
        if request.method == "POST":
            key = request.headers["idempotency-key"]
            self.told.append((path, key, json.loads(await request.body())))
            if self.refuses:
                return JSONResponse({"error_description": self.refuses}, 409)
            return JSONResponse({"message": path.split("/")[2], "state": "received"})
        self.asked.append((path, dict(request.query_params)))
        found = self._found(path, request.headers["authorization"])
        status = 403 if found is None else 200
        return JSONResponse(found or {"error_description": "Not for you."}, status)

    def _listed(self, asked: dict[str, str]) -> dict[str, Any]:
        state = asked.get("state")
        listed = [m for m in self.messages if state in (None, m["state"])]
        return {"messages": listed, "next": 5}

    def _found(self, path: str, token: str) -> dict[str, Any] | None:
        match path.split("/")[1:]:
            case ["messages", name]:
                return self._one(name)
            case ["messages", _, "content"]:
                return CONTENT if token == "Bearer clinician-token" else None
            case ["messages", name, "desk"]:
                return self._stopped(name) if token == "Bearer front-desk-token" else None
            case ["waiting"]:
                return {"waiting": WAITING}
            case ["waiting", name]:
                return QUESTION | {"message": name}
            case _:
                return {"channels": [CHANNEL]}

    def _stopped(self, name: str) -> dict[str, Any]:
        (found,) = [each for each in self.messages if each["id"] == name]
        visit = {"name": "PV1", "index": 1, "fields": [{"field": 19, "text": "V-7^^^MAIN^VN"}]}
        return found | {"patients": [], "parsed": [*CONTENT["parsed"], visit]}

    def _one(self, name: str) -> dict[str, Any]:
        (found,) = [each for each in self.messages if each["id"] == name]
        effects = [
            {"name": f"Patient/{sample.MARIA}", "version": "2", "did": "updated", "at": ago(1)},
            {"name": "Observation/o1", "version": "1", "did": "created", "at": ago(1)},
        ]
        event = {"at": ago(1), "kind": "replayed", "author": "x", "reason": "the table was mended"}
        return found | {
            "stands_behind": None, "copies": [TWO], "events": [event], "effects": effects,
        }  # fmt: skip


CONTENT = {
    "raw": RAW,
    "parsed": [
        {"name": "PID", "index": 1, "fields": [
            {"field": 3, "text": "204^^^MAIN^MR"}, {"field": 5, "text": "Keller^Maria"},
        ]},
    ],
    "mapped": [{"try": 1, "at": ago(2), "channel_version": 2, "translation": {
        "trigger": "ADT^A08",
        "intents": [{"kind": "Keep", "person": {"resource": PERSON},
                     "documents": [{"kind": "Encounter", "key": "E1"}]}],
        "notes": [{"place": "PID-7", "severity": "warning", "text": "No birth date."}],
        "trace": [{"rule": "name", "source": "PID-5", "target": "Patient.name"}],
        "unused": ["PID-22"],
    }}],
}  # fmt: skip
WAITING = [
    {"message": ONE, "channel": "adt", "kind": "ADT^A08", "reason": "person", "at": ago(30),
     "hours": 30.0, "late": True, "text": "Somebody may be meant.", "patients": [],
     "question": "identifier contradicted", "candidates": 1},
    {"message": TWO, "channel": "adt", "kind": "ORU^R01", "reason": "order", "at": ago(1),
     "hours": 1.0, "late": False, "text": "", "patients": [], "question": None, "candidates": 0},
]  # fmt: skip
QUESTION = {
    "reason": "identifier contradicted",
    "since": ago(30),
    "person": PERSON,
    "candidates": [{
        "patient": f"Patient/{sample.MARIA}", "score": 20.5,
        "likes": {"family": "same", "given": "alike", "birth date": "same", "number": "same"},
        "chart": PERSON | {"name": [{"family": "Keller", "given": ["Maria"]}]},
    }],
}  # fmt: skip
CHANNEL = {
    "name": "adt", "about": "Admissions of the main house", "source": "mllp", "version": 2,
    "status": "open", "accepts": ["ADT"], "last": ago(3), "last_hour": 0,
    "queue": {"parked": {"count": 1, "oldest": ago(3)}, "waiting": {"count": 2, "oldest": ago(30)}},
    "alerts": [{"id": ONE, "channel": "adt", "kind": "silent", "since": ago(2), "last": ago(1),
                "count": 1}],
}  # fmt: skip


def installs_integration(door: Door) -> IntegrationInMemory:
    """Makes integration part of the installation, which has records, where names come from."""
    kept = IntegrationInMemory()
    methods = ["GET", "POST"]
    app = Starlette(routes=[Route("/integration/{rest:path}", kept.answer, methods=methods)])
    door.running.peers.add_local("integration", app)
    door.running.peers.add_remote("records", "http://127.0.0.1:9")
    return kept
