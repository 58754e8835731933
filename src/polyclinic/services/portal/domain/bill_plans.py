"""A payment plan before it is agreed: parts, dates and amounts, by the rule that billing has."""

from calendar import monthrange
from datetime import date

from polyclinic.services.portal.domain.bills import Part

PARTS_MIN, PARTS_MAX = 2, 12


def parts(total: int, count: int, first: date) -> tuple[Part, ...]:
    """Parts that differ by one unit at most, on the same day of each month (or its last)."""
    each, rest = divmod(total, count)
    return tuple(Part(add_months(first, n), each + (1 if n < rest else 0)) for n in range(count))


def choices(total: int) -> range:
    """In how many parts an amount can be paid."""
    return range(PARTS_MIN, min(PARTS_MAX, total) + 1)


def first_day(today: date) -> date:
    """A month from now."""
    return add_months(today, 1)


def add_months(day: date, months: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))
