"""Jobs for the appointments service: bookings spread over a clinic, one hot place, and `$find`."""

import json
from collections.abc import Iterator
from datetime import date, timedelta
from itertools import islice
from typing import Any

from bench.corpus import MARK

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
PLACES_A_DAY = 40  # 08:00 to 18:00, a quarter of an hour each
PATIENTS = 2000


def week(clinicians: int) -> dict[str, Any]:
    """The set-up: every clinician sees somebody each quarter of an hour, seven days a week."""
    hours = [
        {"weekday": day, "from": "08:00", "to": "18:00", "site": "m", "visit_types": ["v"]}
        for day in DAYS
    ]
    return {
        "visit_types": [{"id": "v", "name": "V", "minutes": 15, "every": 15, "notice_minutes": 0}],
        "sites": [{"id": "m", "name": "M", "time_zone": "UTC"}],
        "clinicians": [
            {"practitioner": f"Practitioner/c{n}", "time_zone": "UTC", "rules": hours}
            for n in range(clinicians)
        ],
    }


def spread(host: str, token: str, clinicians: int, count: int, first: date) -> list[bytes]:
    """Bookings of which no two want the same; a job to be sent once, not round and round."""
    return list(islice(_spread(host, token, clinicians, first), count))


def hot(host: str, token: str, on: date) -> bytes:
    """One place that everybody wants; a new key at each sending, and 409 after the first."""
    body = _body("Practitioner/c0", f"{on}T10:00:00Z", 1)
    return _post(host, token, f"hot-{MARK}", body)


def find(host: str, token: str, clinicians: int) -> bytes:
    """`$find` over these clinicians for four weeks."""
    who = "&".join(f"practitioner=Practitioner/c{n}" for n in range(clinicians))
    target = f"/fhir/Appointment/$find?visit-type=v&{who}&days=28&_count=50"
    lines = [f"GET {target} HTTP/1.1", f"Host: {host}", f"Authorization: Bearer {token}", "", ""]
    return "\r\n".join(lines).encode()


def _spread(host: str, token: str, clinicians: int, first: date) -> Iterator[bytes]:
    number = 0
    while True:
        slot = number // clinicians
        minute = 8 * 60 + slot % PLACES_A_DAY * 15
        day = first + timedelta(days=slot // PLACES_A_DAY)
        start = f"{day}T{minute // 60:02}:{minute % 60:02}:00Z"
        body = _body(f"Practitioner/c{number % clinicians}", start, number % PATIENTS)
        yield _post(host, token, f"spread-{number}", body)
        number += 1


def _body(practitioner: str, start: str, patient: int) -> bytes:
    asked = {"visit_type": "v", "practitioner": practitioner, "start": start}
    return json.dumps({**asked, "patient": f"Patient/p{patient}"}).encode()


def _post(host: str, token: str, key: str, body: bytes) -> bytes:
    lines = [
        "POST /appointments/bookings HTTP/1.1",
        f"Host: {host}",
        f"Authorization: Bearer {token}",
        f"Idempotency-Key: {key}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        "",
        "",
    ]
    return "\r\n".join(lines).encode() + body
