"""Amounts are whole minor units, dates are dates, and text is what X12 can carry."""

import re
import unicodedata
from datetime import date
from decimal import Decimal

from polyclinic.standards.x12.refused import NOWHERE, Refused
from polyclinic.standards.x12.tokens import STANDARD, Segment, Separators

# Element 782 may have 18 digits. Nobody pays a hundred thousand million dollars: beyond that a
# file is wrong, and a sum of such amounts would leave the 64 bits of a ledger.
AMOUNT_DIGITS_MAX = 13
_AMOUNT = re.compile(r"(-?)([0-9]*)(?:\.([0-9]*))?").fullmatch
_QUANTITY = re.compile(r"-?(?:[0-9]{1,15}(?:\.[0-9]{0,6})?|\.[0-9]{1,6})").fullmatch
_DAY = re.compile(r"[0-9]{8}").fullmatch
_IDENTIFIER = re.compile(r"[A-Za-z0-9!\"&'()+,\-./;?=%@\[\]_{}\\<>#$ ]+").fullmatch
# What has a plain form but no decomposition in Unicode.
_PLAIN = str.maketrans({
    "ß": "ss", "æ": "ae", "Æ": "AE", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D",
    "œ": "oe", "Œ": "OE", "þ": "th", "Þ": "TH", "ð": "d", "Ð": "D", "ı": "i",
    "‘": "'", "’": "'", "“": '"', "”": '"', "–": "-", "—": "-", "…": "...",
})  # fmt: skip
_CARRIED = re.compile(r"[^A-Za-z0-9!\"&'()+,\-./;?=%@\[\]_{}\\<>#$]+")


def read_amount(segment: Segment, element: int) -> int:
    """Minor units of a decimal amount; an absent one is 0. Refused when it is no honest amount."""
    text = segment[element]
    if not text:
        return 0
    match = _AMOUNT(text)
    if not match or text in ("-", ".", "-."):
        raise segment.refused(element, "IK403-6", "The amount is not a decimal number.")
    sign, whole, cents = match[1], match[2].lstrip("0"), match[3] or ""
    if len(cents) > 2:
        raise segment.refused(element, "IK403-6", "The amount has more than two decimals.")
    # Counted as minor units.
    if len(whole) + 2 > AMOUNT_DIGITS_MAX:
        raise segment.refused(element, "IK403-5", "The amount is absurdly large.")
    minor = int(f"{whole}{cents:0<2}")
    return -minor if sign else minor


def need_amount(segment: Segment, element: int) -> int:
    if not segment[element]:
        raise segment.refused(element, "IK403-1", "The amount is missing.")
    return read_amount(segment, element)


def write_amount(minor: int) -> str:
    """123456 is "1234.56", 1200 is "12", -5 is "-0.05": no zeros behind, as X12 has numbers."""
    if abs(minor) >= 10**AMOUNT_DIGITS_MAX:
        raise Refused("?", 0, NOWHERE, "IK403-5", "The amount is absurdly large.")
    whole, cents = divmod(abs(minor), 100)
    decimals = f".{cents:02d}".rstrip("0").rstrip(".")
    return f"{'-' if minor < 0 else ''}{whole}{decimals}"


def read_quantity(segment: Segment, element: int) -> Decimal:
    text = segment[element]
    if not _QUANTITY(text):
        raise segment.refused(element, "IK403-6", "The quantity is not a decimal number.")
    return Decimal(text)


def write_quantity(quantity: Decimal) -> str:
    text = f"{quantity:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    if not _QUANTITY(text):
        raise Refused("?", 0, NOWHERE, "IK403-6", "The quantity is no number that X12 carries.")
    return text


def read_days(period: Segment) -> tuple[date, date | None]:
    """Of a DTP segment: its day, or the first and last day of its range."""
    if period[2] != "RD8":
        return read_day(period, 3), None
    begin, _, end = period[3].partition("-")
    return _day_of(begin, period, 3), _day_of(end, period, 3)


def read_day(segment: Segment, element: int) -> date:
    return _day_of(segment[element], segment, element)


def _day_of(text: str, segment: Segment, element: int) -> date:
    if not _DAY(text):
        raise segment.refused(element, "IK403-8", "The date is not eight digits.")
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError as wrong:
        raise segment.refused(element, "IK403-8", "There is no such day.") from wrong


def write_day(day: date) -> str:
    return f"{day.year:04d}{day.month:02d}{day.day:02d}"


def clean_text(text: str, length: int) -> str:
    """A name or address as X12 carries it, cut to `length`; may end up empty.

    Accents are taken off, known letters spelled out; everything else that the basic and extended
    character sets lack, and `* ~ : ^ | and the back-tick` which may be separators, becomes a
    space; spaces are single.
    """
    plain = unicodedata.normalize("NFKD", text.translate(_PLAIN))
    plain = "".join(mark for mark in plain if not unicodedata.combining(mark))
    return _CARRIED.sub(" ", plain).strip()[:length].rstrip()


def need_text(text: str, length: int, segment: str, element: int) -> str:
    """The same of a text that must say something: Refused when nothing of it can be carried."""
    cleaned = clean_text(text, length)
    if not cleaned:
        why = "Nothing of the text is left in the characters that X12 carries."
        raise Refused(segment, element, NOWHERE, "IK403-1" if not text.strip() else "IK403-6", why)
    return cleaned


def need_code(code: str, length: int, segment: str, element: int) -> str:
    """An identifier as it is: never cut, never changed; Refused when it cannot be carried so."""
    if not code:
        raise Refused(segment, element, NOWHERE, "IK403-1", "The identifier is missing.")
    if len(code) > length:
        why = f"The identifier has more than {length} characters."
        raise Refused(segment, element, NOWHERE, "IK403-5", why)
    if not _IDENTIFIER(code) or code != code.strip():
        why = "The identifier holds a character that X12 cannot carry."
        raise Refused(segment, element, NOWHERE, "IK403-6", why)
    return code


def may_code(code: str, length: int, segment: str, element: int) -> str:
    """The same of an identifier that may be absent."""
    return code and need_code(code, length, segment, element)


def readable(text: str) -> str:
    """A name of a file as people read it: partners send Latin-1 and UTF-8, and say neither."""
    if text.isascii():
        return text
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeDecodeError:
        return text


def parts(segment: Segment, element: int, separators: Separators) -> tuple[str, ...]:
    """The components of a composite element."""
    return tuple(segment[element].split(separators.component))


def composite(*values: str) -> str:
    """A composite element to be written, without the empty components behind."""
    return STANDARD.component.join(values).rstrip(STANDARD.component)


def segment(tag: str, *elements: str) -> Segment:
    """A segment to be written, without the empty elements behind."""
    kept = list(elements)
    while kept and not kept[-1]:
        kept.pop()
    return Segment(tag, tuple(kept))
