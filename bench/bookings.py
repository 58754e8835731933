"""Jobs for the appointments service: bookings spread over a clinic, one hot place, and `$find`."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Any

from bench.corpus import MARK, packed
from bench.load import SUCCESS, Load, Pressure
from bench.server import Server, WrongAnswer

# kind: connections, and requests a second where a pace is kept; the aims are stated at these.
KINDS = {"spread": (32, 0), "hot": (32, 0), "find": (4, 0), "events": (32, 500)}
CLINICIANS = 50
SENT_MAX = 8000  # bookings a second that no block is expected to reach
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
PLACES_A_DAY = 40  # 08:00 to 18:00, a quarter of an hour each
PATIENTS = 2000
PAGE = 50
NEAREST = 3  # alternatives that a refusal names


class Clinic:
    """The appointments service under test, with a week of its own."""

    def __init__(self, base_url: str, token: str | None) -> None:
        self.server = Server("appointments", base_url, token)
        tomorrow = datetime.now(UTC).date() + timedelta(days=1)
        self._hot = [hot(self.server.host, token or "", tomorrow, n) for n in range(PATIENTS)]
        # Somebody else has it: who asks again for a place of his own hears no alternatives.
        self._winner = hot(self.server.host, token or "", tomorrow, PATIENTS)
        first = tomorrow + timedelta(days=1)
        self._spread = spread(self.server.host, token or "", CLINICIANS, first)
        self._find = find(self.server.host, token or "", CLINICIANS)

    def open(self) -> None:
        status, said = self.server.ask("PUT", "/appointments/setup", packed(week(CLINICIANS)))
        if status != 200:
            raise WrongAnswer(f"the week was refused: {status} {str(said)[:600]}")

    def job(self, kind: str, pressure: Pressure) -> tuple[list[bytes], str]:
        """Requests and the status that is expected; bookings are new ones each time."""
        if kind == "hot":
            return self._hot, "409"
        if kind == "find":
            return [self._find], SUCCESS
        most = (pressure.rate or SENT_MAX) * pressure.seconds + pressure.connections
        return list(islice(self._spread, most)), "201"

    def check(self) -> dict[str, int]:
        """Samples answers of each kind; tells their length. The hot place is taken afterwards."""
        one = Pressure(1, 1, 1)
        booked, body = self._send(self.job("spread", one)[0][0])
        if booked != 201 or json.loads(body)["appointment"]["status"] != "booked":
            raise WrongAnswer(f"booking: {booked} {body[:600]!r}")
        taken = [self._send(each, n) for n, each in enumerate((self._winner, self._hot[0]))]
        statuses = [status for status, _ in taken]
        nearest = json.loads(taken[1][1]).get("nearest", ())
        if statuses != [201, 409] or len(nearest) != NEAREST:
            raise WrongAnswer(f"hot place: {taken}")
        found, page = self._send(self._find)
        starts = [each["resource"]["start"] for each in json.loads(page).get("entry", ())]
        if found != 200 or len(starts) != PAGE or starts != sorted(starts):
            raise WrongAnswer(f"$find: {found} {page[:600]!r}")
        sizes = {"spread": len(body), "hot": len(taken[1][1]), "find": len(page)}
        return {**sizes, "events": len(body)}

    def _send(self, whole: bytes, number: int = 0) -> tuple[int, bytes]:
        head, _, body = whole.replace(MARK.encode(), b"check-%06d" % number).partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        method, target, _ = first.split(" ")
        return self.server.send(method, target, body, dict(line.split(": ", 1) for line in lines))


def check_once(kind: str, load: Load, pressure: Pressure, sent_max: int) -> None:
    """A job that went round would ask for places that it has: those are no bookings."""
    if kind in ("spread", "events") and (
        load.answered + load.failed + pressure.connections > sent_max
    ):
        raise RuntimeError(f"{kind}: only {sent_max} bookings were prepared; raise SENT_MAX.")


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


def spread(host: str, token: str, clinicians: int, first: date) -> Iterator[bytes]:
    """Bookings of which no two want the same, to be sent once each."""
    number = 0
    while True:
        slot = number // clinicians
        minute = 8 * 60 + slot % PLACES_A_DAY * 15
        day = first + timedelta(days=slot // PLACES_A_DAY)
        start = f"{day}T{minute // 60:02}:{minute % 60:02}:00Z"
        body = _body(f"Practitioner/c{number % clinicians}", start, number % PATIENTS)
        yield _post(host, token, f"spread-{number}", body)
        number += 1


def hot(host: str, token: str, on: date, patient: int) -> bytes:
    """One place that everybody wants; a new key at each sending, and 409 after the first."""
    body = _body("Practitioner/c0", f"{on}T10:00:00Z", patient)
    return _post(host, token, f"hot-{MARK}", body)


def find(host: str, token: str, clinicians: int) -> bytes:
    """`$find` over these clinicians for four weeks."""
    who = "&".join(f"practitioner=Practitioner/c{n}" for n in range(clinicians))
    target = f"/fhir/Appointment/$find?visit-type=v&{who}&days=28&_count={PAGE}"
    lines = [f"GET {target} HTTP/1.1", f"Host: {host}", f"Authorization: Bearer {token}", "", ""]
    return "\r\n".join(lines).encode()


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
