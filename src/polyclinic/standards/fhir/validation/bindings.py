"""Required bindings: the codes that R4 enumerates, and the syntax of those nobody can."""

import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from polyclinic.standards.fhir.definitions import value_set
from polyclinic.standards.fhir.validation.findings import Findings, Where
from polyclinic.standards.fhir.validation.primitives import Test

NAMED_CODES_MAX = 20  # more do not help a reader

_MEDIA_WORD = r"[A-Za-z0-9!#$&^_.+-]+"
_MEDIA_PARAMETER = rf'\s?;\s?{_MEDIA_WORD}=(?:{_MEDIA_WORD}|"[^"\\]*")'
_SYNTAX: Mapping[str, tuple[Callable[[str], object], str]] = {
    "mime": (
        # CapabilityStatement.format also uses the short names.
        re.compile(rf"xml|json|ttl|{_MEDIA_WORD}/{_MEDIA_WORD}(?:{_MEDIA_PARAMETER})*").fullmatch,
        "This is a media type such as text/plain (BCP 13).",
    ),
    "currency": (re.compile("[A-Z]{3}").fullmatch, "This is an ISO 4217 currency such as EUR."),
    "ucum": (re.compile("[!-~]+").fullmatch, "This is a UCUM unit such as mm[Hg]."),
    "language": (
        re.compile("[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8})*").fullmatch,
        "This is a language such as en or de-CH (BCP 47).",
    ),
    "code": (re.compile(r"\S+(?:\s\S+)*").fullmatch, "This is a code."),
}


@cache
def code_test(url: str) -> Test:
    """For a bare code (or a uri or string that stands for one)."""
    bound = value_set(url)
    if bound.syntax:
        match, refusal = _SYNTAX[bound.syntax]
        return lambda value: None if type(value) is str and match(value) else refusal
    codes = frozenset(code for these in bound.codes.values() for code in these)
    refusal = _not_among(url, codes)

    def test(value: Any) -> str | None:
        return None if type(value) is str and value in codes else refusal

    return test


def check_coding(url: str, coding: Any, where: Where, found: Findings) -> None:
    if isinstance(coding, dict) and not _is_bound(url, coding):
        codes = frozenset(code for these in value_set(url).codes.values() for code in these)
        found.add("code-invalid", where, _not_among(url, codes))


def check_concept(url: str, concept: Any, where: Where, found: Findings) -> None:
    """One of its codings must be from the value set; a text alone is not a code."""
    if not isinstance(concept, dict):
        return
    codings = concept.get("coding")
    if not codings and "extension" in concept:
        return  # said to be absent, for a reason that the extension gives
    if isinstance(codings, list) and any(_is_bound(url, coding) for coding in codings):
        return
    codes = frozenset(code for these in value_set(url).codes.values() for code in these)
    found.add("code-invalid", where, "None of its codings is allowed. " + _not_among(url, codes))


def _is_bound(url: str, coding: Any) -> bool:
    bound = value_set(url)
    if not isinstance(coding, dict) or not isinstance(coding.get("code"), str):
        return False
    if bound.syntax:
        return bool(_SYNTAX[bound.syntax][0](coding["code"]))
    system = coding.get("system")
    return isinstance(system, str) and coding["code"] in bound.codes.get(system, ())


def _not_among(url: str, codes: frozenset[str]) -> str:
    if len(codes) <= NAMED_CODES_MAX:
        return f"The code is one of: {', '.join(sorted(codes))}."
    return f"The code is one of the value set {url}."
