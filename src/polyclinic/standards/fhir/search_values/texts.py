"""How texts are compared in a string search."""

import unicodedata
from functools import lru_cache

# Letters that Unicode does not take apart, though people type them without their stroke.
_STROKES = {"ł": "l", "ø": "o", "đ": "d", "ħ": "h", "ŧ": "t", "ı": "i", "æ": "ae", "œ": "oe"}
_ASCII = str.maketrans({chr(c): " " for c in range(128) if not chr(c).isalnum()})


def normalise_text(text: str) -> str:
    """Without accents, case and punctuation, words parted by one space: "O'Néill" is "o neill"."""
    if text.isascii():
        return " ".join(text.lower().translate(_ASCII).split())
    # Folding can compose anew (as of the Turkish dotted I), so the parts are taken apart twice.
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    return " ".join("".join(map(_letter, folded)).split())


@lru_cache(4096)
def _letter(character: str) -> str:
    kind = unicodedata.category(character)
    if kind == "Mn":
        return ""
    if character in _STROKES:
        return _STROKES[character]
    return character if kind[0] in "LNM" else " "
