"""Narrative is XHTML that cannot act: an allow-list of elements, attributes and addresses.

R4's txt-1 and txt-2. https://hl7.org/fhir/R4/narrative.html
"""

import re
from typing import Any
from xml.parsers import expat


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_XHTML = "http://www.w3.org/1999/xhtml "
_ELEMENTS = _words(
    "a abbr acronym b big blockquote br caption cite code col colgroup dd dfn div dl dt em h1 h2 "
    "h3 h4 h5 h6 hr i img li ol p pre q samp small span strong sub sup table tbody td tfoot th "
    "thead tr tt ul var"
)
_ATTRIBUTES = _words(
    "abbr accesskey align alt axis bgcolor border cellhalign cellpadding cellspacing cellvalign "
    "char charoff charset cite class colspan compact coords dir frame headers height href hreflang "
    "hspace id lang longdesc name nowrap rel rev rowspan rules scope shape span src start style "
    "summary tabindex title type valign value vspace width"
)
_XML_LANG = "http://www.w3.org/XML/1998/namespace lang"
_ADDRESSES = frozenset({"href", "src", "cite", "longdesc"})
_SCHEMES = frozenset({"http", "https", "mailto", "tel", "urn", "ftp"})
_IMAGE = re.compile(r"data:image/(?:png|gif|jpeg|webp);base64,")
_ACTIVE_STYLE = re.compile(
    r"expression\(|javascript:|@import|behavior:|-moz-binding|\\|url\((?!['\"]?data:image/)"
)


class _Refused(Exception):
    """The narrative holds what it may not."""


def narrative_test(value: Any) -> str | None:
    """What is wrong with a Narrative.div, or None."""
    if type(value) is not str:
        return "This is a JSON string."
    check = _Check()
    try:
        check.parse(value)
    except _Refused as refused:
        return str(refused)
    except (expat.ExpatError, UnicodeEncodeError):
        return "The narrative is not well-formed XHTML (named HTML entities are not XML either)."
    return None if check.has_content else "txt-2: The narrative has no content."


class _Check:
    """Looks at each event of the parser; keeps nothing of the text."""

    def __init__(self) -> None:
        self.has_content = False
        self._has_root = False

    def parse(self, text: str) -> None:
        parser = expat.ParserCreate("UTF-8", " ")
        parser.StartElementHandler = self._start
        parser.CharacterDataHandler = self._text
        parser.StartDoctypeDeclHandler = self._refuse
        parser.EntityDeclHandler = self._refuse
        parser.ProcessingInstructionHandler = self._refuse
        parser.Parse(text.encode(), True)  # noqa: FBT003 expat takes it by position only

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        element = name.removeprefix(_XHTML)
        if not self._has_root:
            if name != _XHTML + "div":
                raise _Refused(f"The narrative is one <div xmlns='{_XHTML.strip()}'>.")
            self._has_root = True
        if element not in _ELEMENTS:
            raise _Refused("txt-1: The narrative has an element that R4 does not allow.")
        self.has_content = self.has_content or element == "img"
        for attribute, value in attributes.items():
            _check_attribute(attribute, value)

    def _text(self, text: str) -> None:
        if not text.isspace():
            self.has_content = True

    def _refuse(self, *_: object) -> None:
        raise _Refused("The narrative has no document type, entities or instructions.")


def _check_attribute(name: str, value: str) -> None:
    if name not in _ATTRIBUTES and name != _XML_LANG:
        raise _Refused("txt-1: The narrative has an attribute that R4 does not allow.")
    # Browsers skip control characters and spaces inside an address's scheme.
    plain = "".join(character for character in value if character > " ").lower()
    if name in _ADDRESSES and not _is_safe_address(plain):
        raise _Refused("The narrative has an address that is not http, https, mailto or tel.")
    if name == "style" and _ACTIVE_STYLE.search(plain):
        raise _Refused("The narrative has a style that could act or load.")


def _is_safe_address(address: str) -> bool:
    scheme, colon, _ = address.partition(":")
    if not colon or any(mark in scheme for mark in "/?#"):
        return True
    return scheme in _SCHEMES or bool(_IMAGE.match(address))
