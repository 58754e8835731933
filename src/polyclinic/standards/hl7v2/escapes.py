r"""Escape sequences: \F\ \S\ \T\ \R\ \E\ \P\, \X..\, \C..\ \M..\, and the words of formatted text.

What we do not know stays in the text as it is. Nothing that we write can end a field, a segment
or a frame: delimiters, control characters and the line ends of Unicode are all escaped.
"""

import re
from collections.abc import Callable, Iterator
from functools import lru_cache

from polyclinic.standards.hl7v2.charsets import Charset
from polyclinic.standards.hl7v2.delimiters import NEVER, Delimiters

LINES_MAX = 99  # of one \.sp\ or \.sk\: a number from outside must not fill the memory

_FORMAT = re.compile(r"\.(br|sp|sk|ce|in|ti|fi|nf)\s*([+-]?\d{0,9})", re.IGNORECASE).fullmatch
_HEX = re.compile(r"(?:[0-9A-Fa-f]{2})+").fullmatch
_DESIGNATION = re.compile(r"[CM]((?:[0-9A-Fa-f]{2}){2,3})").fullmatch
_LITERAL_NULL = '""'  # as a text and not as NULL it is written in hexadecimal


class Unknown(ValueError):
    """An escape sequence that says nothing to us."""


def unescaped(characters: str, marks: Delimiters, charset: Charset) -> str:
    """The text of a leaf. Raises UnicodeDecodeError where bytes are none of the set."""
    if marks.escape not in characters:
        return charset.text(characters)
    return "".join(_pieces(characters, marks, charset))


def unknown_in(characters: str, marks: Delimiters) -> bool:
    """Whether a leaf holds an escape sequence that stays in its text."""
    for word in _split(characters, marks)[1::2]:
        try:
            _said(word, marks)
        except Unknown:
            return True
    return characters.count(marks.escape) % 2 == 1


def _split(characters: str, marks: Delimiters) -> list[str]:
    """Texts and, between them, the words between two escape characters; a last single one ends."""
    pieces = characters.split(marks.escape)
    if len(pieces) % 2 == 0:
        last = pieces.pop()
        pieces[-1] += marks.escape + last
    return pieces


def _pieces(characters: str, marks: Delimiters, charset: Charset) -> Iterator[str]:
    """Decodes runs of bytes as wholes: a character may be spelled in several \\X..\\."""
    run: list[str] = []
    for number, piece in enumerate(_split(characters, marks)):
        if number % 2 == 0:
            run.append(piece)
            continue
        try:
            said, in_bytes = _said(piece, marks)
        except Unknown:
            said, in_bytes = f"{marks.escape}{piece}{marks.escape}", True
        if in_bytes:
            run.append(said)
            continue
        yield charset.text("".join(run))
        yield said
        run.clear()
    yield charset.text("".join(run))


def _said(word: str, marks: Delimiters) -> tuple[str, bool]:
    """What a sequence stands for, and whether that is still bytes of the character set."""
    one = _single(marks).get(word)
    if one is not None:
        return one, True
    if word[:1] == "X" and _HEX(word[1:]):
        return bytes.fromhex(word[1:]).decode("latin-1"), True
    if found := _DESIGNATION(word):
        return "\x1b" + bytes.fromhex(found[1]).decode("latin-1"), True
    if found := _FORMAT(word):
        return _formatted(found[1].lower(), found[2]), False
    raise Unknown


@lru_cache(64)
def _single(marks: Delimiters) -> dict[str, str]:
    """The sequences of one letter; a mark that the message does not name has its usual one."""
    named = {
        "F": (marks.field, "|"), "S": (marks.component, "^"), "T": (marks.subcomponent, "&"),
        "R": (marks.repetition, "~"), "E": (marks.escape, "\\"), "P": (marks.truncation, "#"),
        "H": ("", ""), "N": ("", ""),
    }  # fmt: skip
    return {word: usual if mark == NEVER else mark for word, (mark, usual) in named.items()}


def _formatted(command: str, number: str) -> str:
    if command in ("br", "ce"):
        return "\n"
    if command in ("sp", "sk"):
        times = min(abs(int(number)) if number.strip("+-") else 1, LINES_MAX)
        return ("\n" if command == "sp" else " ") * times
    return ""  # indents, fill and no fill say how to show it, not what


_CONTROL = "\x00-\x1f\x7f-\x9f\u2028\u2029"


@lru_cache(64)
def _dangerous(marks: Delimiters) -> tuple[re.Pattern[str], dict[str, str]]:
    words = {
        marks.escape: "E", marks.field: "F", marks.component: "S", marks.subcomponent: "T",
        marks.repetition: "R", marks.truncation: "P",
    }  # fmt: skip
    words.pop(NEVER, None)
    escaped = {mark: f"{marks.escape}{word}{marks.escape}" for mark, word in words.items()}
    escaped["\n"] = f"{marks.escape}.br{marks.escape}"
    return re.compile(f"[{re.escape(''.join(words))}{_CONTROL}]"), escaped


def escaped(text: str, marks: Delimiters, charset: Charset) -> str:
    """The characters that say this text and nothing else. Raises UnicodeEncodeError.

    Raises Unknown where it needs an escape and the message has no escape character.
    """
    pattern, words = _dangerous(marks)
    if text != _LITERAL_NULL and not pattern.search(text):
        return charset.spelled(text)
    if marks.escape == NEVER:
        raise Unknown
    if text == _LITERAL_NULL:
        return f"{marks.escape}X2222{marks.escape}"
    return charset.spelled(pattern.sub(_replacing(words, marks, charset), text))


def _replacing(
    words: dict[str, str], marks: Delimiters, charset: Charset
) -> Callable[[re.Match[str]], str]:
    def one(found: re.Match[str]) -> str:
        word = words.get(found[0])
        if word is not None:
            return word
        raw = found[0].encode(charset.codec or "ascii")
        return f"{marks.escape}X{raw.hex().upper()}{marks.escape}"

    return one
