"""What somebody types to find a patient: words of a name, a date of birth, a number."""

import re
from dataclasses import dataclass
from datetime import date

from polyclinic.foundation.errors import Invalid
from polyclinic.services.portal.domain.reading import MONTHS

WORDS_MAX = 5
_ISO = re.compile(r"\b(\d{4})-(\d{1,2})-(\d{1,2})\b")
_US = re.compile(r"\b(\d{1,2})/(\d{1,2})/(\d{4})\b")
_WRITTEN = re.compile(r"\b(\d{1,2})\s+([A-Za-z]{3,9})\.?\s+(\d{4})\b")
_NUMBER = re.compile(r"(?=.*\d)[A-Za-z0-9-]{3,64}")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A search for a patient, as FHIR parameters."""

    names: tuple[str, ...]
    born: date | None
    number: str

    @property
    def parameters(self) -> list[tuple[str, str]]:
        found = [("name", name) for name in self.names]
        if self.born:
            found.append(("birthdate", self.born.isoformat()))
        if self.number:
            found.append(("identifier", self.number))
        return found


def read_search(typed: str) -> Wanted:
    """Reads one search box; raises Invalid with what would help."""
    rest, born = _date(typed.replace(",", " "))
    names: list[str] = []
    number = ""
    for word in rest.split():
        if _NUMBER.fullmatch(word) and not number:
            number = word
        elif any(c.isalpha() for c in word):
            names.append(word)
    if not names and born is None and not number:
        raise Invalid("Enter a name, a date of birth such as 3/14/1968, or a record number.")
    if all(len(name) < 2 for name in names) and names and born is None and not number:
        raise Invalid("Enter at least two letters of a name.")
    return Wanted(tuple(names[:WORDS_MAX]), born, number)


def _date(typed: str) -> tuple[str, date | None]:
    for pattern, order in ((_ISO, (1, 2, 3)), (_US, (3, 1, 2)), (_WRITTEN, (3, 2, 1))):
        found = pattern.search(typed)
        if found is None:
            continue
        year, month, day = (found[n] for n in order)
        try:
            born = date(int(year), _month(month), int(day))
        except ValueError as wrong:
            raise Invalid(f"{found[0]} is not a date. Write it like 3/14/1968.") from wrong
        return typed[: found.start()] + " " + typed[found.end() :], born
    return typed, None


def _month(text: str) -> int:
    if text.isdigit():
        return int(text)
    for number, name in enumerate(MONTHS, start=1):
        if len(text) >= 3 and name.lower().startswith(text.lower()):
            return number
    raise ValueError(text)
