"""The day as a calendar: clinicians as columns, five minutes as a row, each state a word."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from polyclinic.services.portal.domain.booking import PRESENT, Appointment, DayColumn
from polyclinic.services.portal.domain.times import hour_24

ROW_MINUTES = 5
MARK_MINUTES = 20
OPEN_MIN = timedelta(minutes=10)  # what is shorter is a pause between two visits
LATE = timedelta(minutes=5)
COLUMNS_MAX = 8
LANES_MAX = 3
Span = tuple[datetime, datetime]
# A day without hours is drawn as one from eight to five.
EMPTY_DAY = (8, 17)


@dataclass(frozen=True, slots=True)
class Block:
    """Something in a column: a visit, free time, or hours in which nobody is there."""

    kind: str
    start: datetime
    end: datetime
    row: int
    span: int
    time: str
    title: str
    detail: str
    appointment: Appointment | None = None
    lane: int = 0
    lanes: int = 1

    @property
    def css(self) -> str:
        """Where it stands, in classes: the policy of our pages allows no styles."""
        beside = f" w{self.lanes} x{self.lane}" if self.lanes > 1 else ""
        return f"s{self.row} n{self.span}{beside}{self._room}"

    @property
    def _room(self) -> str:
        """Ten minutes have room for one line of words, fifteen for two, more for three."""
        if self.span < 3:
            return " brief"
        return (" snug" if self.span < 5 else "") + (" tall" if self.span > 3 else "")


@dataclass(frozen=True, slots=True)
class Column:
    """One clinician's day."""

    practitioner: str
    name: str
    line: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Calendar:
    """All columns of a site on one date."""

    date: date
    columns: tuple[Column, ...]
    marks: tuple[tuple[int, str], ...]
    rows: int
    now_row: int | None


@dataclass(frozen=True, slots=True)
class Drawn:
    """What a calendar is drawn from."""

    zone: str
    date: date
    now: datetime
    names: Mapping[str, str]


def calendar(drawn: Drawn, found: Sequence[DayColumn]) -> Calendar:
    """Columns of those who have hours or visits on this day."""
    first, last = _frame(drawn, found)
    columns = tuple(_column(drawn, each, (first, last)) for each in found)
    rows = _rows(first, last)
    now_row = _rows(first, drawn.now) if first <= drawn.now < last else None
    return Calendar(drawn.date, columns, _marks(first, rows, drawn.zone), rows, now_row)


def without(spans: list[Span], taken: Span) -> list[Span]:
    """What is left of spans once one is taken out of them."""
    left: list[Span] = []
    for start, end in spans:
        left += [(start, min(end, taken[0])), (max(start, taken[1]), end)]
    return [(start, end) for start, end in left if start < end]


def state_words(appointment: Appointment, now: datetime, zone: str) -> str:
    """How the desk reads a visit's state; the same everywhere."""
    if appointment.status == "booked":
        late = now - appointment.start
        if timedelta(0) < late and now < appointment.end + timedelta(hours=4):
            return f"Not arrived · {_minutes(late)} late" if late >= LATE else "Expected now"
        return "Confirmed"
    if appointment.status == "arrived":
        return f"Arrived {hour_24(appointment.arrived, zone)}" if appointment.arrived else "Arrived"
    if appointment.status == "checked-in":
        at = appointment.checked_in
        return f"Checked in {hour_24(at, zone)}" if at else "Checked in"
    words = {"fulfilled": "Done", "noshow": "Did not come", "pending": "Requested"}
    return words.get(appointment.status, appointment.status.capitalize())


def tone(appointment: Appointment) -> str:
    """The colour of a state; its word stands beside it."""
    kinds = {"arrived": "warn", "checked-in": "ok", "fulfilled": "done", "noshow": "done"}
    return kinds.get(appointment.status, "booked")


def waiting_now(found: Sequence[Appointment], now: datetime) -> list[tuple[Appointment, int]]:
    """Who is in the house and for how many minutes, longest first."""
    here = [a for a in found if a.status in PRESENT]
    since = [(a, a.arrived or a.checked_in or a.start) for a in here]
    return [
        (a, max(0, int((now - at).total_seconds()) // 60))
        for a, at in sorted(since, key=lambda each: (each[1], each[0].id))
    ]


def without_all(spans: list[Span], taken: Sequence[Span]) -> list[Span]:
    for each in taken:
        spans = without(spans, each)
    return spans


def _column(drawn: Drawn, of: DayColumn, frame: Span) -> Column:
    found = sorted(of.appointments, key=lambda a: (a.start, a.id))
    hours: list[Span] = [(h.start, h.end) for h in of.hours]
    visits = _beside([_visit(drawn, a, frame[0]) for a in found])
    free, shut = hours, without_all([frame], hours)
    free = without_all(free, [(a.start, a.end) for a in found])
    shut = without_all(shut, [(a.start, a.end) for a in found])
    # What is over can no longer be booked.
    ahead = [(_up(max(s, drawn.now), frame[0]), e) for s, e in free if e > drawn.now]
    openings = [(s, e) for s, e in ahead if e - s >= OPEN_MIN]
    blocks = [
        *visits,
        *(_space(drawn, "open", span, frame[0], "Open") for span in openings),
        *(_space(drawn, "off", s, frame[0], _off_words(s, hours, drawn.zone)) for s in shut),
    ]
    blocks.sort(key=lambda b: (b.row, b.lane))
    line = _line(drawn, found, len(openings))
    return Column(of.practitioner, drawn.names[of.practitioner], line, tuple(blocks))


def _line(drawn: Drawn, found: list[Appointment], openings: int) -> str:
    booked = sum(1 for a in found if a.status != "noshow")
    parts = [f"{booked} booked", f"{openings} open"]
    waits = [drawn.now - a.start for a in found if a.status in PRESENT]
    late = max(waits, default=timedelta(0))
    if timedelta(minutes=10) <= late < timedelta(hours=4):
        parts[1:] = [f"running {_minutes(late)} late"]
    return ", ".join(parts)


def _visit(drawn: Drawn, appointment: Appointment, first: datetime) -> Block:
    words = state_words(appointment, drawn.now, drawn.zone)
    return Block(
        kind=tone(appointment),
        start=appointment.start,
        end=appointment.end,
        row=_rows(first, appointment.start),
        span=max(2, _rows(appointment.start, appointment.end)),
        time=hour_24(appointment.start, drawn.zone),
        title=drawn.names.get(appointment.patient, ""),
        detail=f"{words} · {appointment.visit_name}",
        appointment=appointment,
    )


def _space(drawn: Drawn, kind: str, span: Span, first: datetime, title: str) -> Block:
    start, end = span
    return Block(
        kind, start, end, _rows(first, start), max(1, _rows(start, end)),
        hour_24(start, drawn.zone) if kind == "open" else "", title, "",
    )  # fmt: skip


def _off_words(span: Span, hours: list[Span], zone: str) -> str:
    if not hours:
        return "Not here today"
    if span[1] <= hours[0][0]:
        return f"From {hour_24(span[1], zone)}"
    if span[0] >= hours[-1][1]:
        return f"Until {hour_24(span[0], zone)}"
    return "Break"


def _beside(blocks: list[Block]) -> list[Block]:
    """Visits at the same time stand side by side."""
    placed: list[Block] = []
    cluster: list[Block] = []
    end: datetime | None = None
    for block in blocks:
        if end is not None and block.start >= end:
            placed += _lanes(cluster)
            cluster, end = [], None
        cluster.append(block)
        end = max(end, block.end) if end else block.end
    return placed + _lanes(cluster)


def _lanes(cluster: list[Block]) -> list[Block]:
    ends: list[datetime] = []
    lanes: list[int] = []
    for block in cluster:
        free = next((n for n, end in enumerate(ends) if end <= block.start), len(ends))
        ends[free : free + 1] = [block.end]
        lanes.append(free)
    most = min(len(ends), LANES_MAX)
    pairs = zip(cluster, lanes, strict=True)
    return [replace(b, lane=min(n, most - 1), lanes=most) for b, n in pairs]


def _frame(drawn: Drawn, found: Sequence[DayColumn]) -> Span:
    """From the full hour before the first to the full hour after the last thing of the day."""
    spans = [(x.start, x.end) for c in found for x in (*c.hours, *c.appointments)]
    zone = ZoneInfo(drawn.zone)
    midnight = datetime(drawn.date.year, drawn.date.month, drawn.date.day, tzinfo=zone)
    if not spans:
        return midnight.replace(hour=EMPTY_DAY[0]), midnight.replace(hour=EMPTY_DAY[1])
    first = min(s for s, _ in spans).astimezone(zone).replace(minute=0, second=0, microsecond=0)
    last = max(e for _, e in spans).astimezone(zone)
    rest = -(last.minute * 60 + last.second) % 3600
    return max(first, midnight), last + timedelta(seconds=rest)


def _marks(first: datetime, rows: int, zone: str) -> tuple[tuple[int, str], ...]:
    every = MARK_MINUTES // ROW_MINUTES
    minutes = ((row, timedelta(minutes=row * ROW_MINUTES)) for row in range(0, rows, every))
    return tuple((row, hour_24(first + ahead, zone)) for row, ahead in minutes)


def _rows(start: datetime, end: datetime) -> int:
    # Elapsed minutes, so that a day on which the clocks change keeps its order.
    return round((end - start).total_seconds()) // (ROW_MINUTES * 60)


def _up(at: datetime, first: datetime) -> datetime:
    """The next full row."""
    seconds = (first - at).total_seconds() % (ROW_MINUTES * 60)
    return at + timedelta(seconds=seconds)


def _minutes(late: timedelta) -> str:
    minutes = int(late.total_seconds()) // 60
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min"
