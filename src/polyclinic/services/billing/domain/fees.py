"""Fee schedules: what the clinic asks and what payers allow, from a day until a day."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from polyclinic.foundation.errors import Invalid, Issue, Problem
from polyclinic.services.billing.domain import money
from polyclinic.services.billing.domain.charges import CODE, MODIFIER
from polyclinic.services.billing.domain.problems import NoFee

COLUMNS = ("code", "modifier", "title", "amount")
FEES_MAX = 5000
TITLE_MAX = 120
ISSUES_MAX = 25  # whoever has more reads the first ones first


@dataclass(frozen=True, slots=True)
class Fee:
    """One code's price for one unit; `modifier` is empty for the plain code."""

    code: str
    modifier: str
    title: str
    amount: int


@dataclass(frozen=True, slots=True)
class Schedule:
    """A list of fees; without a payer it is the clinic's own."""

    id: UUID
    name: str
    payer: str | None
    from_day: date
    until_day: date | None
    currency: str


Fees = Mapping[tuple[str, str], Fee]


def fee_for(fees: Fees, code: str, modifiers: Sequence[str]) -> Fee | None:
    """The fee of the first modifier that has one of its own, else of the plain code."""
    keys = [*((code, modifier) for modifier in modifiers), (code, "")]
    return next((fees[key] for key in keys if key in fees), None)


def fees_for(fees: Fees, lines: Sequence[tuple[str, Sequence[str]]]) -> list[Fee]:
    """A fee for each (code, modifiers); raises NoFee, naming every line that has none."""
    found = [fee_for(fees, code, modifiers) for code, modifiers in lines]
    places = [f"lines[{n}].code" for n, fee in enumerate(found) if fee is None]
    if places:
        issues = tuple(Issue(NoFee().message, place, NoFee.code) for place in places)
        raise NoFee(place=places[0], issues=issues)
    return [fee for fee in found if fee is not None]


def read_fees(text: str, currency: str) -> list[Fee]:
    """All fees of a CSV text, or Invalid that names line and column of everything wrong."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    columns = _header(reader)
    fees: list[Fee] = []
    issues: list[Issue] = []
    seen: dict[tuple[str, str], int] = {}
    for line, row in _rows(reader):
        fee, wrong = _fee(line, row, columns, currency)
        issues += wrong
        if fee is None:
            continue
        first = seen.setdefault((fee.code, fee.modifier), line)
        if first != line:
            text_ = f"The same code and modifier as in line {first}."
            issues.append(Issue(text_, f"line {line}, column code"))
        fees.append(fee)
        if len(issues) > ISSUES_MAX or len(fees) > FEES_MAX:
            break
    if len(fees) > FEES_MAX:
        raise Invalid(f"A schedule has {FEES_MAX} fees at most.", place=f"line {FEES_MAX + 2}")
    _refuse(issues)
    if not fees:
        raise Invalid("A schedule has one fee at least.", place="line 2")
    return fees


def _refuse(issues: list[Issue]) -> None:
    if issues:
        first = issues[0]
        raise Invalid(first.text, place=first.place, issues=tuple(issues[:ISSUES_MAX]))


def _header(reader: Iterator[list[str]]) -> list[str]:
    _, row = next(_rows(reader), (1, list[str]()))
    columns = [name.strip().lstrip("\ufeff").lower() for name in row]
    if sorted(columns) != sorted(COLUMNS):
        raise Invalid(f"The first line names the columns {', '.join(COLUMNS)}.", place="line 1")
    return columns


def _rows(reader: Iterator[list[str]]) -> Iterator[tuple[int, list[str]]]:
    """Rows with their line numbers; empty lines are nothing."""
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as broken:
            line = getattr(reader, "line_num", 0)
            raise Invalid("This line is no CSV.", place=f"line {line}") from broken
        if any(cell.strip() for cell in row):
            yield getattr(reader, "line_num", 0), row


def _fee(
    line: int, row: list[str], columns: list[str], currency: str
) -> tuple[Fee | None, list[Issue]]:
    if len(row) != len(columns):
        text = f"This line has {len(row)} columns instead of {len(columns)}."
        return None, [Issue(text, f"line {line}")]
    cells = {name: cell.strip() for name, cell in zip(columns, row, strict=True)}
    rules = (
        ("code", CODE.fullmatch(cells["code"]), "A code has five capital letters and digits."),
        (
            "modifier",
            not cells["modifier"] or MODIFIER.fullmatch(cells["modifier"]),
            "A modifier has two capital letters and digits.",
        ),
        (
            "title",
            0 < len(cells["title"]) <= TITLE_MAX and cells["title"].isprintable(),
            f"A title has 1 to {TITLE_MAX} printable characters.",
        ),
    )
    place = f"line {line}, column "
    issues = [Issue(text, place + name) for name, is_right, text in rules if not is_right]
    amount = 0
    try:
        amount = money.minor(cells["amount"], currency, place + "amount")
        if amount < 0:
            issues.append(Issue("An amount is nothing or more.", place + "amount"))
    except Problem as refused:
        issues += refused.issues
    fee = Fee(cells["code"], cells["modifier"], cells["title"], amount)
    return (None if issues else fee), issues


def covered(schedule: Schedule, other: Schedule) -> bool:
    """Whether two schedules of one payer are valid on the same day."""
    return (other.until_day is None or schedule.from_day <= other.until_day) and (
        schedule.until_day is None or other.from_day <= schedule.until_day
    )
