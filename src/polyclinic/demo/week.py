"""Northside's week: hours of its four clinicians, and visits of its patients in the next days."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from polyclinic.demo import people

_PATIENTS = (
    people.MARIA_KELLER,
    "Patient/2fd49829-b72b-5a31-8529-81da94e8fa0f",
    "Patient/05277472-d3c4-5493-a5c7-ee95a45e5af3",
    "Patient/69d9eb0e-21e5-5b72-98cf-9ddb794c803a",
    "Patient/ce55e4ff-c6bd-5e11-9590-a5df6dbc90c7",
    "Patient/7ef91842-61c0-57c0-ab6c-a5c484e6acec",
    "Patient/d36eac96-9724-5e10-a9b2-7cd27914cf26",
    "Patient/7a724b95-9c24-539f-ba49-19005a5d53c6",
    "Patient/c06042fa-6276-5c10-b68e-d2a12584e535",
    "Patient/e8b6f6e7-fbca-5d76-9f73-c5665318e2a6",
    "Patient/8d4823cb-660e-51a1-85f3-4f98b430de63",
    "Patient/613fe043-30ae-5106-9066-0d911b22c1df",
)
ZONE = "America/New_York"
_WORKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday")


@dataclass(frozen=True, slots=True)
class Visit:
    """One visit to be booked: the `skip`-th opening from now on."""

    patient: str
    practitioner: str
    visit_type: str
    skip: int
    reason: str


def visits() -> tuple[Visit, ...]:
    """A visit or two for everybody, spread over the clinicians."""
    rows = (
        (0, people.ANA_RUIZ, "follow-up", 2, "Blood pressure check"),
        # Days ahead: within a day nobody could try here how a visit is moved or cancelled.
        (0, people.PRIYA_NAIR, "diabetes-review", 30, "Yearly diabetes review"),
        (1, people.LENA_WONG, "first-visit", 1, "New patient"),
        (2, people.ANA_RUIZ, "follow-up", 5, "Results of last week"),
        (3, people.LENA_WONG, "follow-up", 6, "Sore throat"),
        (4, people.ANA_RUIZ, "video-visit", 7, "Asthma, how the new inhaler works"),
        (5, people.LENA_WONG, "follow-up", 10, "Back pain"),
        (6, people.PRIYA_NAIR, "diabetes-review", 1, "Diabetes review"),
        (7, people.ANA_RUIZ, "first-visit", 4, "New patient"),
        (8, people.ANA_RUIZ, "follow-up", 12, "Heart failure review"),
        (9, people.SOFIE_MEYER, "child-visit", 1, "Five-year check"),
        (10, people.SOFIE_MEYER, "child-visit", 3, "Ear ache"),
        (11, people.SOFIE_MEYER, "follow-up", 6, "Knee after football"),
    )
    return tuple(Visit(_PATIENTS[n], *rest) for n, *rest in rows)  # pyright: ignore[reportArgumentType]


def setup(today: date) -> dict[str, Any]:
    """The document of `PUT /appointments/setup`."""
    return {
        "visit_types": _visit_types(),
        "sites": [
            {
                "id": "northside", "name": "Northside Clinic", "time_zone": ZONE,
                "location": "Location/northside", "holidays": _holidays(today.year),
            }
        ],
        "rooms": [
            {"id": f"room-{n}", "site": "northside", "kind": "consulting"} for n in range(1, 5)
        ],
        "clinicians": [
            _clinician(
                people.ANA_RUIZ, ("09:00", "12:30"), ("13:30", "17:00"),
                "follow-up", "first-visit", "video-visit", "urgent",
            ),
            _clinician(
                people.LENA_WONG, ("08:30", "12:00"), ("13:00", "16:30"),
                "follow-up", "first-visit", "urgent",
            ),
            _clinician(
                people.SOFIE_MEYER, ("09:00", "12:00"), ("14:00", "18:00"),
                "child-visit", "follow-up", "urgent",
            ),
            _clinician(
                people.PRIYA_NAIR, ("08:00", "12:00"), ("12:30", "15:30"),
                "diabetes-review", "vaccination",
            ),
        ],
    }  # fmt: skip


def _visit_types() -> list[dict[str, Any]]:
    return [
        _type("follow-up", "Follow-up visit", 20, after=5, every=15),
        _type("first-visit", "First visit", 40, after=5, every=30, notice_minutes=24 * 60),
        _type("child-visit", "Children's visit", 25, after=5, every=30),
        _type("diabetes-review", "Diabetes review", 30, every=30),
        _type("video-visit", "Video visit", 15, every=15, mode="video", room_kind=None),
        _type(
            "vaccination",
            "Vaccination clinic",
            30,
            every=30,
            capacity=8,
            room_kind=None,
        ),
        _type(
            "urgent",
            "Urgent visit, booked by the desk",
            15,
            every=15,
            notice_minutes=0,
            patients_book=False,
        ),
    ]


def _type(name: str, title: str, minutes: int, **more: Any) -> dict[str, Any]:
    return {
        "id": name, "name": title, "minutes": minutes, "notice_minutes": 120,
        "horizon_days": 90, "room_kind": "consulting", **more,
    }  # fmt: skip


def _clinician(
    practitioner: str, morning: tuple[str, str], afternoon: tuple[str, str], *types: str
) -> dict[str, Any]:
    rules = [
        {"weekday": day, "from": opens, "to": to, "site": "northside", "visit_types": types}
        for day in _WORKDAYS
        for opens, to in (morning, afternoon)
    ]
    return {"practitioner": practitioner, "time_zone": ZONE, "rules": rules}


def _holidays(year: int) -> list[dict[str, str]]:
    days = (("01-01", "New Year's Day"), ("07-04", "Independence Day"), ("12-25", "Christmas Day"))
    return [
        {"date": f"{each}-{day}", "name": name} for each in (year, year + 1) for day, name in days
    ]
