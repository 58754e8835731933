"""The character sets of MSH-18: bytes ↔ text, strictly, and without splitting a character.

Inside, a message is a text with one character for each byte. In sets whose second bytes can look
like delimiters (BIG-5, GB 18030, ISO IR87), the bytes of a wide character stand shifted into the
private use area, so that splitting never finds a delimiter in the middle of a character.
"""

import re
from dataclasses import dataclass

_SHIFT = 0xE000
_HIDE = {byte: _SHIFT + byte for byte in range(256)}
_SHOW = {_SHIFT + byte: byte for byte in range(256)}

_BIG5 = re.compile("[\x81-\xfe][\x40-\x7e\x80-\xfe]")
_GB18030 = re.compile("[\x81-\xfe](?:[0-9][\x81-\xfe][0-9]|[\x40-\x7e\x80-\xfe])")
# Wide sets and half-width katakana up to the next designation; of other designations the ESC only.
_JAPANESE = re.compile("\x1b(?:\\$(?:[@B]|\\([@BD])|\\(I)[^\x1b\r\n]*|\x1b")


_PLAIN_AGAIN = (b"\x1b(B", b"\x1b(J")


@dataclass(frozen=True, slots=True)
class Charset:
    """`codec` is Python's name, empty for a set that we do not know; then only ASCII is read."""

    name: str
    codec: str
    wide: "re.Pattern[str] | None" = None

    def characters(self, raw: bytes) -> str:
        """One character for each byte, wide ones hidden."""
        text = raw.decode("latin-1")
        if self.wide is None or (raw.isascii() and b"\x1b" not in raw):
            return text
        return self.wide.sub(_hidden, text)

    def raw(self, characters: str) -> bytes:
        if self.wide is not None and not characters.isascii():
            characters = characters.translate(_SHOW)
        return characters.encode("latin-1")

    def text(self, characters: str) -> str:
        """What the bytes say. Raises UnicodeDecodeError; nothing is ever replaced."""
        if characters.isascii() and "\x1b" not in characters:
            return characters
        raw = self.raw(characters)
        if self.wide is _JAPANESE and raw[raw.rfind(b"\x1b") :][:3] not in _PLAIN_AGAIN:
            why = "no way back to the plain set, so that what follows was taken for wide"
            raise UnicodeDecodeError(self.codec, raw, len(raw) - 1, len(raw), why)
        return raw.decode(self.codec or "ascii")

    def spelled(self, text: str) -> str:
        """The characters of a text. Raises UnicodeEncodeError where the set has none for it."""
        if text.isascii():
            return text
        return self.characters(text.encode(self.codec or "ascii"))


def _hidden(found: re.Match[str]) -> str:
    return found[0].translate(_HIDE)


UTF_8 = Charset("UNICODE UTF-8", "utf-8")
_JAPAN = ("iso2022_jp_ext", _JAPANESE)

# Table 0211 and what senders write for it, without case, spaces and hyphens.
_KNOWN: dict[str, Charset] = {
    "ASCII": Charset("ASCII", "ascii"),
    "USASCII": Charset("ASCII", "ascii"),
    "UNICODE": UTF_8,
    "UNICODEUTF8": UTF_8,
    "UTF8": UTF_8,
    "ISOIR6": Charset("ISO IR6", "ascii"),
    "ISOIR14": Charset("ISO IR14", *_JAPAN),
    "ISOIR87": Charset("ISO IR87", *_JAPAN),
    "ISOIR159": Charset("ISO IR159", *_JAPAN),
    "GB180302000": Charset("GB 18030-2000", "gb18030", _GB18030),
    "GB18030": Charset("GB 18030-2000", "gb18030", _GB18030),
    "KSX1001": Charset("KS X 1001", "euc_kr"),
    "BIG5": Charset("BIG-5", "big5", _BIG5),
    "WINDOWS1252": Charset("WINDOWS-1252", "cp1252"),
    "CP1252": Charset("WINDOWS-1252", "cp1252"),
}
for _part in (*range(1, 12), *range(13, 16)):  # there is no part 12
    _latin = Charset(f"8859/{_part}", f"iso8859-{_part}")
    for _name in (f"8859/{_part}", f"8859{_part}", f"ISO8859{_part}"):
        _KNOWN[_name] = _latin

_NOISE = re.compile(r"[ _-]")


def named(name: str) -> Charset:
    """The set of that name; one without a codec where the name says nothing to us."""
    key = _NOISE.sub("", name.upper())
    return _KNOWN.get(key) or Charset(name, "")


def chosen(names: list[str], default: str) -> Charset:
    """The set of MSH-18: its first repetition, but Japanese sets as soon as one is named.

    Where MSH-18 is empty the channel's default holds, and without one UTF-8, read strictly.
    """
    for name in names:
        if name and named(name).wide is _JAPANESE:
            return named(name)
    return named(next((name for name in names if name), default) or UTF_8.name)
