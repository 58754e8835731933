"""Marked patient text, planted wherever a client can put text, is nowhere to be read afterwards."""

import asyncio
import base64
import hashlib
import itertools
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from polyclinic.foundation.postgres import EmbeddedPostgres
from polyclinic.foundation.vault import RootKey

SERVICES = ("--seed", "none", "--services", "identity,records")
FHIR = {"content-type": "application/fhir+json"}
HEADERS = [
    "x-request-id", "user-agent", "referer", "if-match", "if-none-exist", "prefer", "accept",
    "x-forwarded-host", "x-forwarded-for", "cookie", "traceparent",
]  # fmt: skip
METRICS = ("/metrics", "/records/metrics", "/identity/metrics", "/health/ready")


class Marks:
    """Words that nobody else writes; each one remembers where it was planted."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self.places: dict[str, str] = {}

    def new(self, place: str) -> str:
        # Letters only, so that they survive every normalisation in some upper or lower case.
        number = next(self._numbers)
        letters = "".join(chr(ord("a") + int(digit)) for digit in f"{number:04}")
        mark = f"Quarzmark{letters}x"
        self.places[mark.lower()] = place
        return mark

    def found_in(self, content: bytes) -> set[str]:
        """The places whose marks stand in this content, in the usual codings of a text."""
        found: set[str] = set()
        plain = content.lower()
        wide = content.replace(b"\0", b"").lower()
        for mark, place in self.places.items():
            text = mark.encode()
            if text in plain or text in wide or text.hex().encode() in plain:
                found.add(place)
        if b"quarzmark"[3:] in plain and not found:
            found.add("a part of a mark")
        return found | self._in_base64(content)

    def _in_base64(self, content: bytes) -> set[str]:
        return {
            place
            for mark, place in self.places.items()
            for text in (mark.encode(), mark.capitalize().encode())
            for shift in range(3)
            if _middle(text, shift) in content
        }


def _middle(text: bytes, shift: int) -> bytes:
    """What base64 makes of a text wherever in its stream it begins."""
    coded = base64.b64encode(b"x" * shift + text + b"x" * 3)
    return coded[4 if shift else 0 : -8]


def planted(marks: Marks) -> list[dict[str, Any]]:
    """Resources with a mark in every kind of field."""

    def m(place: str) -> str:
        return marks.new(place)

    def narrative(place: str) -> dict[str, str]:
        div = (
            f'<div xmlns="http://www.w3.org/1999/xhtml"><p title="{m(place)}">{m(place)}</p></div>'
        )
        return {"status": "generated", "div": div}

    def phone(value: str) -> list[dict[str, str]]:
        return [{"system": "phone", "value": value}]

    person = {
        "resourceType": "Patient",
        "id": "planted",
        "text": narrative("narrative"),
        "extension": [
            {"url": f"http://clinic.test/{m('extension url')}", "valueString": m("extension")},
            {"url": "http://clinic.test/e", "valueAddress": {"text": m("extension address")}},
            {"url": "http://clinic.test/r", "valueReference": {"reference": "#c"}},
        ],
        "identifier": [{
            "system": f"http://clinic.test/{m('identifier system')}",
            "value": m("identifier"),
            "type": {"text": m("identifier type")},
            "assigner": {"display": m("assigner")},
        }],
        "name": [{
            "family": m("family"), "given": [m("given"), m("second given")],
            "prefix": [m("prefix")], "suffix": [m("suffix")], "text": m("name text"),
        }],
        "telecom": [
            {"system": "phone", "value": m("phone")},
            {"system": "email", "value": f"{m('email')}@clinic.test"},
        ],
        "address": [{
            "line": [m("address line")], "city": m("city"), "district": m("district"),
            "state": m("state"), "postalCode": m("postal code"), "country": m("country"),
            "text": m("address text"),
        }],
        "maritalStatus": {"text": m("marital status"), "coding": [{"display": m("display")}]},
        "contact": [{"name": {"family": m("contact")}, "telecom": phone(m("contact phone"))}],
        "communication": [{"language": {"text": m("language")}}],
        "generalPractitioner": [{"display": m("practitioner display")}],
        "photo": [{
            "contentType": "image/png", "title": m("photo title"), "data": _b64(m("photo data")),
        }],
        "contained": [{"resourceType": "Basic", "id": "c", "code": {"text": m("contained")}}],
        "meta": {"tag": [{"system": "http://clinic.test/t", "code": m("tag")}]},
    }  # fmt: skip
    reading = {
        "resourceType": "Observation",
        "id": "planted",
        "status": "final",
        "code": {
            "text": m("code text"),
            "coding": [
                {"system": "http://clinic.test/c", "code": m("code"), "display": m("display")}
            ],
        },
        "subject": {"reference": "Patient/planted", "display": m("subject display")},
        "effectiveDateTime": "2026-11-20",
        "valueQuantity": {"value": 1, "unit": m("unit")},
        "note": [{"text": m("note"), "authorString": m("note author")}],
        "component": [{"code": {"text": m("component")}, "valueString": m("component value")}],
    }
    paper = {
        "resourceType": "DocumentReference",
        "id": "planted",
        "status": "current",
        "subject": {"reference": "Patient/planted"},
        "description": m("description"),
        "content": [{
            "attachment": {
                "contentType": "text/plain", "title": m("attachment title"),
                "data": _b64(m("attachment data")), "url": f"http://clinic.test/{m('url')}",
            }
        }],
    }  # fmt: skip
    return [
        person,
        reading,
        paper,
        {"resourceType": "Binary", "id": "planted", "contentType": "text/plain",
         "data": _b64(m("binary"))},
        {"resourceType": "Condition", "id": "planted", "subject": {"reference": "Patient/planted"},
         "code": {"text": m("condition")}, "note": [{"text": m("condition note") + " " * 3000}]},
        {"resourceType": "Group", "id": "planted", "type": "person", "actual": True,
         "name": m("group"), "member": [{"entity": {"reference": "Patient/planted"}}]},
    ]  # fmt: skip


def _b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def requests(marks: Marks) -> Iterator[dict[str, Any]]:
    """Everything that a client can send with a mark in it: good, bad and absurd."""
    resources = planted(marks)
    for resource in resources:
        path = f"/fhir/{resource['resourceType']}/planted"
        yield {"method": "PUT", "url": path, "json": resource, "headers": FHIR, "expect": {201}}
        yield {"method": "GET", "url": path, "expect": {200}}
        changed = {**resource, "language": "de"}
        yield {"method": "PUT", "url": path, "json": changed, "headers": FHIR, "expect": {200}}
        yield {"method": "GET", "url": f"{path}/_history", "expect": {200}}
    m = marks.new
    for name in ("name", "family", "identifier", "phone", "email", "address", "_tag", "birthdate"):
        text = m(f"search by {name}")
        yield {"method": "GET", "url": "/fhir/Patient", "params": {name: text}}
        yield {"method": "POST", "url": "/fhir/Patient/_search", "data": {name: text}}
    for name in ("_count", "_sort", "_page", "_include", "_summary", "_format", m("parameter")):
        yield {"method": "GET", "url": "/fhir/Patient", "params": {name: m(f"value of {name}")}}
    # An id is opaque by contract (the log of who looked at what keeps it), so none is planted.
    for path in (
        "/fhir/{}/1",
        "/fhir/Patient/1/{}",
        "/fhir/Patient/1/_history/{}",
        "/fhir/Patient/a%20{}",
        "/{}",
        "/identity/{}",
        "/records/{}",
    ):
        yield {"method": "GET", "url": path.format(m(f"address {path}"))}
    yield {"method": m("method")[:20].upper(), "url": "/fhir/Patient"}
    for place in HEADERS:
        yield {
            "method": "PUT",
            "url": "/fhir/Patient/planted",
            "json": resources[0],
            "headers": {**FHIR, place: m(f"header {place}")},
        }
    yield from _bad_bodies(marks)
    yield from _imports(marks)
    yield from _sign_ins(marks)


def _bad_bodies(marks: Marks) -> Iterator[dict[str, Any]]:
    m = marks.new
    bodies = {
        "broken JSON": '{{"resourceType": "Patient", "name": "{}"',
        "unknown element": '{{"resourceType": "Patient", "{}": 1}}',
        "wrong type": '{{"resourceType": "{}"}}',
        "bad date": '{{"resourceType": "Patient", "birthDate": "{}"}}',
        "bad code": '{{"resourceType": "Patient", "gender": "{}"}}',
        "bad id": '{{"resourceType": "Patient", "id": "{} _"}}',
        "doubled key": '{{"resourceType": "Patient", "{0}": 1, "{0}": 2}}',
        "dangling": '{{"resourceType": "Basic", "subject": {{"reference": "Patient/{}"}}}}',
        "NUL": '{{"resourceType": "Patient", "language": "{}\\u0000"}}',
        "number": '{{"resourceType": "Patient", "multipleBirthInteger": {}}}',
    }
    for name, body in bodies.items():
        content = body.format(m(f"body: {name}"))
        for method, path in (
            ("POST", "/fhir/Patient"),
            ("PUT", "/fhir/Patient/x"),
            ("POST", "/fhir"),
        ):
            yield {"method": method, "url": path, "content": content, "headers": FHIR}
    criteria = {"ifNoneExist": f"family={m('ifNoneExist')}", "url": "Patient", "method": "POST"}
    entry = {"resource": {"resourceType": "Patient"}, "request": criteria}
    link = {"reference": f"Patient?identifier={m('conditional reference')}"}
    linked = {
        "resource": {"resourceType": "Basic", "code": {"text": "x"}, "subject": link},
        "request": {"method": "POST", "url": "Basic", "ifMatch": m("ifMatch")},
        "fullUrl": f"urn:{m('full url')}",
    }
    for entries in ([entry], [linked], [{**entry, "request": {"method": m("entry method")}}]):
        for kind in ("transaction", "batch"):
            bundle = {"resourceType": "Bundle", "type": kind, "entry": entries}
            yield {"method": "POST", "url": "/fhir", "json": bundle, "headers": FHIR}


def _imports(marks: Marks) -> Iterator[dict[str, Any]]:
    m = marks.new
    person = {"resourceType": "Patient", "id": "imported", "name": [{"family": m("imported")}]}
    bad = {"resourceType": "Patient", "gender": m("refused line")}
    content = (json.dumps(person) + "\n" + json.dumps(bad) + "\n").encode()
    for stated in (hashlib.sha256(content).hexdigest(), m("hash")):
        yield {
            "method": "POST",
            "url": "/records/import",
            "content": content,
            "headers": {
                "content-type": "application/fhir+ndjson",
                "x-content-hash": stated,
                "x-source": f"{m('file name')}.ndjson",
            },
        }
    relation = {"practitioner": m("practitioner"), "patient": "x", "source": m("relation source")}
    for relations in ([relation], [{**relation, "practitioner": "Practitioner/1",
                                    "patient": "Patient/planted"}]):  # fmt: skip
        yield {"method": "POST", "url": "/records/relations", "json": {"relations": relations}}


def _sign_ins(marks: Marks) -> Iterator[dict[str, Any]]:
    m = marks.new
    form = {"user": m("user"), "password": m("password"), "form_token": m("form token")}
    yield {"method": "POST", "url": "/identity/sign-in", "data": form}
    query = {"client_id": m("client"), "state": m("oauth state"), "redirect_uri": m("redirect")}
    yield {"method": "GET", "url": "/identity/authorize", "params": query}
    grant = {"grant_type": m("grant"), "code": m("oauth code"), "client_assertion": m("assertion")}
    yield {"method": "POST", "url": "/identity/token", "data": grant}
    yield {"method": "GET", "url": "/fhir/Patient", "headers": {"authorization": m("token")}}


def token_of(data: Path) -> str:
    words = ["token", "--data", str(data), "--client", "planter", "--scope", "system/*.cruds"]
    done = subprocess.run(
        [sys.executable, "-m", "polyclinic", *words], capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()[-1]


def throw_all(data: Path, url: str, marks: Marks) -> bytes:
    """Sends everything; the answer is what the metrics say afterwards."""
    bearer = {"authorization": f"Bearer {token_of(data)}"}
    with httpx.Client(base_url=url, headers=bearer, timeout=30) as client:
        for request in requests(marks):
            expected = request.pop("expect", None)
            answer = client.request(**request)
            assert answer.status_code < 500, (request, answer.text)
            assert expected is None or answer.status_code in expected, (request, answer.text)
        pages = [client.get(path).content for path in METRICS]
    return b"".join(pages)


async def flushed(data: Path) -> list[bytes]:
    """Everything onto the disk; and what the server's own tables tell of statements."""
    server = EmbeddedPostgres(data)
    await server.hold()
    url = await server.start()
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("CHECKPOINT")
        await connection.fetchval("SELECT pg_switch_wal()")
        await connection.execute("CHECKPOINT")
        dump = [
            str(row[0]).encode()
            for table in await connection.fetch(
                "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables"
                " WHERE schemaname IN ('records', 'identity')"
            )
            for row in await connection.fetch(f"SELECT to_jsonb(t)::text FROM {table[0]} t")
        ]
        statistics = await connection.fetch("SELECT to_jsonb(s)::text FROM pg_stats s")
        activity = await connection.fetch("SELECT to_jsonb(s)::text FROM pg_stat_activity s")
    finally:
        await connection.close()
        await server.stop()
    return [*dump, *(row[0].encode() for row in (*statistics, *activity))]


def leaks(marks: Marks, data: Path, more: dict[str, bytes]) -> dict[str, set[str]]:
    """Where something can be read, and what."""
    contents = {str(f): f.read_bytes() for f in data.rglob("*") if f.is_file()} | more
    found = {name: marks.found_in(content) for name, content in contents.items()}
    return {name: places for name, places in found.items() if places}


def test_planted_text_is_found_nowhere_readable(start, data):
    marks = Marks()
    up = start(*SERVICES).ready()
    metrics = throw_all(data, up.url, marks)
    code, said = up.end(signal.SIGINT)
    assert code == 0
    assert len(marks.places) > 100
    rows = asyncio.run(flushed(data))
    more = {
        "metrics": metrics,
        "standard error": said.encode(),
        "standard output": "\n".join(up.lines).encode(),
        "rows": b"\n".join(rows),
    }
    wal = [file for file in data.rglob("*") if file.parent.name == "pg_wal" and file.is_file()]
    assert wal
    assert len(rows) > 100
    assert leaks(marks, data, more) == {}


def test_a_leak_would_be_found_wherever_it_is(start, data):
    """The negative control: one mark in a table, one in a log, each is found again."""
    marks = Marks()
    up = start(*SERVICES).ready()
    assert up.end(signal.SIGINT)[0] == 0
    table, wal_only, log = marks.new("a table"), marks.new("the WAL"), marks.new("a log")

    async def leak() -> None:
        server = EmbeddedPostgres(data)
        await server.hold()
        connection = await asyncpg.connect(await server.start())
        try:
            await connection.execute("CREATE TABLE leak (text text)")
            await connection.execute("INSERT INTO leak VALUES ($1)", table)
            await connection.execute("INSERT INTO leak VALUES ($1)", wal_only)
            await connection.execute("DELETE FROM leak WHERE text = $1", wal_only)
        finally:
            await connection.close()
            await server.stop()

    asyncio.run(leak())
    log_file = data / "logs" / "polyclinic.log"
    log_file.write_text(log_file.read_text() + f'{{"event": "{log}"}}\n')
    found = leaks(marks, data, {"metrics": log.upper().encode(), "b64": _b64(f"xy{log}").encode()})
    assert found[str(log_file)] == {"a log"}
    assert found["metrics"] == found["b64"] == {"a log"}
    everywhere = set().union(*found.values())
    assert everywhere >= {"a table", "the WAL", "a log"}


@pytest.mark.parametrize("shift", range(4))
def test_the_scanner_reads_base64_wherever_it_begins(shift):
    marks = Marks()
    mark = marks.new("somewhere")
    assert marks.found_in(base64.b64encode(b"#" * shift + mark.encode() + b"tail")) == {"somewhere"}
    assert marks.found_in(mark.encode("utf-16-le")) == {"somewhere"}
    assert marks.found_in(RootKey.__name__.encode()) == set()
