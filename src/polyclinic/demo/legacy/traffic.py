"""The old clinic's days: who asks for what at which hour, out of a seed.

`lived` sends it all to a clinic, so that its access log is a real one.
"""

import base64
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta, timezone

import httpx

from polyclinic.demo.legacy.kept import Kept
from polyclinic.demo.legacy.words import USERS

ZONE = timezone(timedelta(hours=-5))
# How busy each hour from seven to eighteen is, against the busiest.
_HOURS = (2, 8, 10, 9, 7, 4, 8, 10, 9, 6, 3, 1)


@dataclass(frozen=True, slots=True)
class Step:
    """One request of somebody's work."""

    at: datetime
    user: str
    method: str
    path: str
    form: dict[str, str] = field(default_factory=dict[str, str])


@dataclass(slots=True)
class _World:
    """What there is to ask for, as the file says."""

    chance: random.Random
    day: date
    mrns: list[str]
    appts: list[int]
    encounters: list[int]
    invoices: list[str]
    accessions: list[str]
    drugs: list[str]
    allergies: list[int]
    booked: int = 0

    @classmethod
    def of(cls, kept: Kept, seed: int, today: date) -> "_World":
        def some(query: str) -> list[str]:
            return [str(next(iter(row.values()))) for row in kept.all(query)]

        return cls(
            random.Random(seed),  # noqa: S311 - made-up days
            today,
            some("SELECT mrn FROM patients WHERE del_flag = 'N' ORDER BY id LIMIT 2000"),
            [int(n) for n in some("SELECT id FROM appts ORDER BY id LIMIT 2000")],
            [int(n) for n in some("SELECT enc_id FROM encounters ORDER BY enc_id LIMIT 2000")],
            some("SELECT inv_no FROM invoices ORDER BY inv_no LIMIT 2000"),
            some("SELECT DISTINCT accession FROM labs ORDER BY id LIMIT 2000"),
            some("SELECT rx_no FROM meds ORDER BY rx_no LIMIT 2000"),
            [int(n) for n in some("SELECT id FROM allergies ORDER BY id LIMIT 2000")],
        )

    def mrn(self) -> str:
        return self.chance.choice(self.mrns)


Asked = tuple[str, str, dict[str, str]]
Errand = Callable[[_World], list[Asked]]


def _get(*paths: str) -> list[Asked]:
    return [("GET", path, {}) for path in paths]


def _post(path: str, **form: str) -> Asked:
    return ("POST", path, form)


def _look_up(world: _World) -> list[Asked]:
    number = world.mrn()
    return _get(
        f"/api/patients/search?q={world.chance.choice('ABCKMPRSTW')}", f"/api/patient/{number}"
    )


def _the_day(world: _World) -> list[Asked]:
    day = world.day + timedelta(days=world.chance.randrange(10))
    paths = [f"/sched/day/{day:%Y%m%d}", f"/sched/appt/{world.chance.choice(world.appts)}"]
    return _get(*paths)


def _booking(world: _World) -> list[Asked]:
    world.booked += 1
    minutes = world.booked % 36 * 15
    day = world.day + timedelta(days=60 + world.booked // 36)
    code = world.chance.choice(("DRKIM", "DROBI", "DRLUND"))
    start = datetime.combine(day, time(8)) + timedelta(minutes=minutes)
    shown = f"{start:%m/%d/%Y} {(start.hour - 1) % 12 + 1}:{start:%M %p}"
    slots = _get(f"/sched/slots?prov={code}&from={day:%Y%m%d}")
    asked = _post("/sched/book", mrn=world.mrn(), prov=code, start=shown, reason="Follow up")
    return [*_look_up(world), *slots, asked]


def _change(world: _World) -> list[Asked]:
    world.booked += 1
    number = world.chance.choice(world.appts)
    if world.chance.random() < 0.5:
        return [_post(f"/sched/appt/{number}/cancel")]
    day = world.day + timedelta(days=400 + world.booked)
    return [_post(f"/sched/appt/{number}/move", start=f"{day:%m/%d/%Y} 9:00 AM")]


def _registers(world: _World) -> list[Asked]:
    number = world.mrn()
    new = _post("/api/patient", lname="Newcomb", fname="Ann", dob="01/02/1980", sex="F")
    update = _post(f"/api/patient/{number}/update", phone="(207) 555-0111")
    policy = _post(f"/insurance/{number}", payer="Medicare", member="M123456789")
    return [new, update, *_get(f"/insurance/{number}"), policy]


def _reads_chart(world: _World) -> list[Asked]:
    number = world.mrn()
    base = f"/api/patient/{number}"
    parts = ("allergies", "problems", "meds", "encounters", "vitals")
    labs = [f"/labs/results.do?mrn={number}", f"/labs/{world.chance.choice(world.accessions)}"]
    encounter = f"/api/enc/{world.chance.choice(world.encounters)}"
    return _get(base, *(f"{base}/{part}" for part in parts), *labs, encounter)


def _treats(world: _World) -> list[Asked]:
    number = world.mrn()
    base = f"/api/patient/{number}"
    return world.chance.sample(
        [
            _post("/api/enc/save", mrn=number, prov="DRKIM", cc="Cough", note="Better."),
            _post("/api/rx/new", mrn=number, drug="Amoxicillin", dose="500", dose_unit="mg"),
            _post(f"/api/rx/{world.chance.choice(world.drugs)}/stop"),
            _post("/labs/order.do", mrn=number, test="GLU", prov="DRKIM"),
            _post(f"{base}/allergies", substance="Kiwi", severity="MILD", rxn="Itching"),
            _post(f"/api/allergy/{world.chance.choice(world.allergies)}/inactivate"),
            _post(f"{base}/problems", icd10="J06.9", descr="Cold"),
        ],
        2,
    )


def _bills(world: _World) -> list[Asked]:
    invoice = world.chance.choice(world.invoices)
    shown = _get(f"/billing/invoice/{invoice}", f"/billing/account/{world.mrn()}/balance")
    return [*shown, _post("/billing/payment", inv_no=invoice, amt="10.00", method="CASH")]


def _reports(world: _World) -> list[Asked]:
    month = world.chance.randrange(1, 13)
    return _get("/billing/aging.csv", f"/reports/no-shows/{world.day.year - 1}/{month}")


def _house(_: _World) -> list[Asked]:
    return _get("/providers.json", "/sites")


def _administers(world: _World) -> list[Asked]:
    return _get("/admin/users", f"/admin/audit?from={world.day}")


_WORK: dict[str, Sequence[tuple[Errand, int]]] = {
    "frontdesk": (
        (_the_day, 10), (_booking, 5), (_look_up, 5), (_change, 3), (_registers, 2), (_house, 1),
    ),
    "nurse": ((_reads_chart, 6), (_the_day, 3), (_look_up, 2), (_house, 1)),
    "md": ((_reads_chart, 6), (_treats, 4), (_the_day, 2)),
    "biller": ((_bills, 8), (_reports, 1), (_look_up, 2)),
    "admin": ((_administers, 3), (_house, 1)),
}  # fmt: skip


def days(kept: Kept, *, today: date, many: int, busy: float = 1.0, seed: int = 7) -> Iterator[Step]:
    """The working days before `today`, hour by hour; half as `busy` is half the requests."""
    world = _World.of(kept, seed, today)
    for back in range(many, 0, -1):
        day = today - timedelta(days=back)
        if day.weekday() < 5:
            yield from _lived_day(world, day, busy)


def _lived_day(world: _World, day: date, share: float) -> Iterator[Step]:
    steps: list[Step] = []
    for login, _, role, _ in USERS:
        work = _WORK[role]
        begins = datetime.combine(day, time(7, world.chance.randrange(60)), ZONE)
        steps.append(Step(begins, login, "POST", "/login.asp", {"usr": login, "pwd": "harbor"}))
        steps.append(Step(begins, login, "GET", "/"))
        for hour, busy in enumerate(_HOURS, 7):
            for _ in range(round(busy * share) if role != "admin" else 1):
                at = datetime.combine(day, time(hour, world.chance.randrange(60)), ZONE)
                errand = world.chance.choices(
                    [each for each, _ in work], [weight for _, weight in work]
                )[0]
                steps += [Step(at, login, *each) for each in errand(world)]
        ends = datetime.combine(day, time(18, 59), ZONE)
        steps.append(Step(ends, login, "GET", "/logout"))
    yield from sorted(steps, key=lambda step: step.at)


async def lived(
    client: httpx.AsyncClient, steps: Iterator[Step], now: Callable[[datetime], None]
) -> int:
    """Sends every step to a clinic; `now` is told what time it is meanwhile."""
    count = 0
    for step in steps:
        now(step.at)
        proof = base64.b64encode(f"{step.user}:harbor".encode()).decode()
        headers = {"authorization": f"Basic {proof}", "user-agent": "HarborNet/4.2"}
        form = step.form if step.method == "POST" else None
        await client.request(step.method, step.path, data=form, headers=headers)
        client.cookies.clear()
        count += 1
    return count
