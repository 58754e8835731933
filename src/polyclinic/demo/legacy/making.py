"""Makes Harbor Street's rows out of a seed: patient n is the same however many there are."""

import hashlib
import random
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from polyclinic.demo.legacy import words
from polyclinic.demo.legacy.schema import TABLES

Row = tuple[Any, ...]
Rows = dict[str, list[Row]]
# A patient with all that hangs on it has about this many rows.
ROWS_PER_PATIENT = 20
FIRST_ID = 1001
BATCH = 500
# The day at the desk: from eight to five in quarters of an hour, dealt out over four weeks.
STEP_MINUTES = 15
FIRST_MINUTE = 8 * 60
QUARTERS = 36
DAYS = 20


@dataclass(frozen=True, slots=True)
class Maker:
    """A seed, the day that everything is dated from, and how many patients there are."""

    seed: int
    today: date
    patients: int

    @property
    def stamp(self) -> str:
        return f"{self.today}T03:00:00Z"

    def chance(self, what: object) -> random.Random:
        return random.Random(f"{self.seed}/{what}")  # noqa: S311 - made-up people, no secrets


def patients_for(rows: int) -> int:
    return max(24, rows // ROWS_PER_PATIENT)


def mrn(number: int) -> str:
    return f"HS-{100000 + number * 7}"


def fill(file: sqlite3.Connection, maker: Maker) -> None:
    """All of it in one transaction; an empty schema must be there."""
    file.execute("BEGIN")
    _insert(file, _house(maker))
    for first in range(0, maker.patients, BATCH):
        gathered: Rows = {}
        for n in range(first, min(first + BATCH, maker.patients)):
            for table, row in _patient(maker, n):
                gathered.setdefault(table, []).append(row)
        _insert(file, gathered)
    _insert(file, _dirt(maker))
    file.execute("UPDATE invoices SET total = total + 10 WHERE inv_no = ?", (_invoice(maker, 5),))
    file.execute("COMMIT")


def _insert(file: sqlite3.Connection, rows: Rows) -> None:
    for table, values in rows.items():
        marks = ", ".join("?" * len(TABLES[table]))
        names = ", ".join(TABLES[table])
        file.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks})", values)  # noqa: S608 - our own names


def _house(maker: Maker) -> Rows:
    providers = [
        (n, code, last, first, what, f"10000000{n:02}", site, "Y")
        for n, (code, last, first, what, site) in enumerate(words.PROVIDERS, 1)
    ]
    users = [
        (login, name, role, password_hash(login, "harbor"), code, 0)
        for login, name, role, code in words.USERS
    ]
    old = maker.today - timedelta(days=1)
    audit = [
        (n, f"{old}T{8 + n % 9:02}:{n % 60:02}:00Z", words.USERS[n % 12][0], "VIEW", mrn(n % 20))
        for n in range(1, 200)
    ]
    return {"sites": list(words.SITES), "providers": providers, "users": users, "audit_log": audit}


def password_hash(login: str, password: str) -> str:
    return hashlib.sha256(f"{login}:{password}".encode()).hexdigest()


def _patient(maker: Maker, n: int) -> Iterator[tuple[str, Row]]:
    chance = maker.chance(n)
    yield "patients", _person(maker, chance, n)
    yield from _chart(maker, chance, n)
    yield from _visits(maker, chance, n)
    yield from _labs(maker, chance, n)
    for prio in range(1, chance.choice((1, 1, 1, 2)) + 1):
        since = maker.today - timedelta(days=chance.randrange(200, 1500))
        ended = str(maker.today - timedelta(days=30)) if prio == 2 else None
        member = f"M{chance.randrange(10**8, 10**9)}"
        values = (chance.choice(words.PAYERS), member, f"G{chance.randrange(100, 999)}")
        yield "ins_policies", (n * 2 + prio, mrn(n), *values, str(since), ended, prio, maker.stamp)


def _person(maker: Maker, chance: random.Random, n: int) -> Row:
    sex = chance.choice("FM")
    first = chance.choice(words.WOMEN if sex == "F" else words.MEN)
    last = chance.choice(words.FAMILIES)
    born = maker.today - timedelta(days=chance.randrange(400, 34_000))
    town, state, code = chance.choice(words.TOWNS)
    address = f"{chance.randrange(1, 400)} {chance.choice(words.STREETS)}"
    phone = f"(207) 555-{chance.randrange(200, 9999):04}"
    email = f"{first}.{last}.{n}@example.org".lower() if chance.random() < 0.7 else None
    provider = chance.choice(words.PROVIDERS)[0]
    dead = "Y" if n % 12 == 11 else "N"
    deleted = "Y" if n % 50 == 49 else "N"
    return (
        FIRST_ID + n, mrn(n), last, first, chance.choice("ABCDEFGHJK"), str(born), sex, phone,
        email, address, town, state, code, provider, chance.choice(words.LANGUAGES), dead, deleted,
        maker.stamp,
    )  # fmt: skip


def _chart(maker: Maker, chance: random.Random, n: int) -> Iterator[tuple[str, Row]]:
    for i, (code, name) in enumerate(chance.sample(words.PROBLEMS, chance.randrange(1, 4))):
        onset = str(maker.today - timedelta(days=chance.randrange(100, 4000)))
        state = "RESOLVED" if i == 2 else "ACTIVE"
        yield "problems", (n * 4 + i + 1, FIRST_ID + n, code, name, onset, state, maker.stamp)
    for i, (substance, reaction) in enumerate(chance.sample(words.ALLERGENS, chance.randrange(3))):
        year = str(chance.randrange(1985, maker.today.year))
        ended = str(maker.today - timedelta(days=90)) if i == 1 and n % 3 == 0 else None
        severity = chance.choice(words.SEVERITIES)
        values = (substance, reaction, severity, year, ended)
        yield "allergies", (n * 3 + i + 1, mrn(n), *values, maker.stamp)
    for i, drug in enumerate(chance.sample(words.DRUGS, chance.randrange(1, 4))):
        start = maker.today - timedelta(days=chance.randrange(60, 1500))
        stop = f"{maker.today - timedelta(days=20):%m/%d/%Y}" if i == 2 else None
        yield "meds", (
            f"RX{n * 4 + i:08}", FIRST_ID + n, *drug, f"{start:%m/%d/%Y}", stop,
            chance.choice(words.PROVIDERS)[0], int(i == 1 and n % 20 == 3), maker.stamp,
        )  # fmt: skip


def _visits(maker: Maker, chance: random.Random, n: int) -> Iterator[tuple[str, Row]]:
    """Each clinician's quarters of an hour are taken in turn: nobody is booked twice."""
    turn, provider = divmod(n, len(words.PROVIDERS))
    for i in range(2):
        ids = (n * 3 + i + 1, n, provider)
        state = "NOSHOW" if chance.random() < 0.08 else "SEEN"
        start = _start(maker.today, turn * 2 + i, -1)
        yield "appts", _appointment(maker, chance, ids, (start, state))
        if state == "SEEN":
            yield from _encounter(maker, chance, ids, start.date())
    state = "CANC" if n % 9 == 4 else "BOOKED"
    when = (_start(maker.today, turn, 1), state)
    yield "appts", _appointment(maker, chance, (n * 3 + 3, n, provider), when)


def _start(today: date, turn: int, direction: int) -> datetime:
    """The time of a clinician's turn: over four weeks first, then the next quarter of an hour."""
    block, within = divmod(turn, DAYS * QUARTERS)
    quarter, day = divmod(within, DAYS)
    monday = today - timedelta(days=today.weekday()) + timedelta(weeks=(direction + 1) // 2)
    week, weekday = divmod(block * DAYS + day, 5)
    weeks = week if direction > 0 else -1 - week
    minutes = FIRST_MINUTE + STEP_MINUTES * quarter
    on = monday + timedelta(weeks=weeks, days=weekday)
    return datetime.combine(on, time(minutes // 60, minutes % 60))


def _appointment(
    maker: Maker, chance: random.Random, ids: tuple[int, int, int], when: tuple[datetime, str]
) -> Row:
    number, n, provider = ids
    start, state = when
    reason = chance.choice(words.REASONS)
    site = words.PROVIDERS[provider][4]
    return (
        number, FIRST_ID + n, provider + 1, site, f"{start:%Y-%m-%d %H:%M}", STEP_MINUTES, reason,
        state, maker.stamp,
    )  # fmt: skip


def _encounter(
    maker: Maker, chance: random.Random, ids: tuple[int, int, int], day: date
) -> Iterator[tuple[str, Row]]:
    number, n, provider = ids
    note = f"{chance.choice(words.REASONS)}, {chance.choice(words.COMPLAINTS)}."
    code = words.PROVIDERS[provider][0]
    complaint = chance.choice(words.REASONS)
    yield "encounters", (
        number, FIRST_ID + n, number, code, str(day), complaint, note, "Y", maker.stamp,
    )  # fmt: skip
    weight, height = round(chance.uniform(95, 260), 1), round(chance.uniform(58, 76), 1)
    temperature = round(chance.uniform(97.0, 101.5), 1)
    pressure = (chance.randrange(100, 165), chance.randrange(60, 99), chance.randrange(55, 105))
    yield "vitals", (number, number, weight, height, temperature, *pressure, maker.stamp)
    yield from _bill(maker, chance, (number, n), day)


def _invoice(maker: Maker, number: int) -> str:
    return f"INV-{maker.today.year}-{number:06}"


def _bill(
    maker: Maker, chance: random.Random, ids: tuple[int, int], day: date
) -> Iterator[tuple[str, Row]]:
    number, n = ids
    name = _invoice(maker, number)
    lines = chance.sample(words.SERVICES, chance.choice((1, 2, 2, 3)))
    total = round(sum(price for _, _, price in lines), 2)
    paid = (0.0, round(total / 2, 2), total)[number % 3]
    state = "PAID" if paid == total else "OPEN"
    yield "invoices", (name, mrn(n), number, str(day), total, state, maker.stamp)
    for i, (code, title, price) in enumerate(lines):
        yield "inv_lines", (number * 4 + i, name, code, title, 1, price, maker.stamp)
    if paid:
        when = str(day + timedelta(days=14))
        how = chance.choice(words.PAID_BY)
        yield "payments", (number, name, when, paid, how, "N", maker.stamp)


def _labs(maker: Maker, chance: random.Random, n: int) -> Iterator[tuple[str, Row]]:
    order = f"ORD{n:07}"
    day = maker.today - timedelta(days=chance.randrange(5, 300))
    tests = chance.sample(words.TESTS, chance.randrange(2, 5))
    provider = chance.choice(words.PROVIDERS)[0]
    yield "orders", (order, mrn(n), tests[0][0], provider, str(day), "DONE", maker.stamp)
    letters = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"
    accession = "".join(chance.choice(letters) for _ in range(8))
    for i, (code, loinc, units, low, high, digits, (least, most)) in enumerate(tests):
        value = chance.uniform(least, most)
        flag = "L" if value < low else "H" if value > high else ""
        text = f"{value:.{digits}f}"
        if code == "TSH" and n % 4 == 0:
            text, flag = "<0.01", "L"
        state = "P" if n % 25 == 7 and i == 0 else "F"
        taken = f"{day:%Y%m%d}{8 + n % 9:02}{n % 60:02}"
        values = (code, loinc, text, units, f"{low:g}-{high:g}", flag, taken, state)
        yield "labs", (n * 5 + i + 1, accession, order, mrn(n), *values, maker.stamp)


_BAD_PEOPLE = (("Vera", "1990-02-30"), ("Otto", "1985-02-30"), (None, "1971-05-05"))


def _dirt(maker: Maker) -> Rows:
    """What no honest migration takes over unseen: truth.yaml lists it."""
    stamp, base = maker.stamp, FIRST_ID + maker.patients
    people: list[Row] = []
    for i in range(3):
        twin = _person(maker, maker.chance(i), i)
        people.append((base + i, mrn(maker.patients + i), *twin[2:]))
    for i, (first, born) in enumerate(_BAD_PEOPLE):
        number = maker.patients + 3 + i
        rest = ("F", "(207) 555-0199", None, "1 Mill Rd", "Graywater", "ME", "04991", "DRKIM")
        person = ("Strand", first, "A", born, *rest, "EN", "N", "N", stamp)
        people.append((FIRST_ID + number, mrn(number), *person))
    last = 10 * maker.patients
    return {
        "patients": people,
        "allergies": [
            (last + i, f"HS-9{i}", "Latex", "Rash", "MILD", "2001", None, stamp) for i in range(2)
        ],
        "labs": [
            (last, "ZZZZ9999", None, "HS-99", "K", "2823-3", "4.1", "mmol/L", "3.5-5.1", "",
             f"{maker.today:%Y%m%d}0800", "F", stamp)
        ],
        "meds": [
            (f"RX{last:08}", FIRST_ID, "Prednisone", "312615", "taper", "mg", "UD", "PO",
             "01/05/2020", "02/05/2020", "DROBI", 0, stamp)
        ],
    }  # fmt: skip
