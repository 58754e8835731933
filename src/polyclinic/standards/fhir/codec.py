"""FHIR JSON to plain values and back, with decimals as they were written (1.00 stays 1.00)."""

import json
import re
from decimal import Decimal
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")

# FHIR asks for 18 significant digits; beyond these bounds a number is an attack or a mistake.
DECIMAL_CHARACTERS_MAX = 64
DECIMAL_EXPONENT_MAX = 308  # that of an IEEE double: whoever reads it as one still gets a number


class BadJson(ValueError):
    """The bytes are not a JSON object that FHIR allows; `place` says where, when known."""

    def __init__(self, text: str, place: str | None = None) -> None:
        super().__init__(text)
        self.text = text
        self.place = place


def decode(body: bytes) -> dict[str, Any]:
    """Refuses, as BadJson, what is no JSON object, nests too deeply, repeats a key in an object,
    or holds NaN, a number out of all bounds, a lone surrogate, a NUL or bad UTF-8."""
    return _checked(body, _decoder)


def decode_list(body: bytes) -> list[Any]:
    """A JSON array, such as a JSON Patch, with the same refusals."""
    return _checked(body, _list_decoder)


def _checked(body: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    try:
        value = decoder.decode(body)
        again = _encoder.encode(value)
    except RecursionError as error:
        raise BadJson("The JSON is nested too deeply.") from error
    except UnicodeDecodeError as error:
        raise BadJson("The text is not valid UTF-8.") from error
    except (msgspec.DecodeError, ValueError) as error:
        raise _bad(str(error)) from error
    if b"\\u0000" in again:
        _refuse_nul(again)
    # Colons inside strings come out again, so a colon fewer is a key that was overwritten.
    # A colon written as an escape would blur that count: then the slow parser decides.
    if body.count(b":") != again.count(b":") or b"\\u003" in body:
        _refuse_repeated_keys(body)
    return value


def decode_kept(body: bytes) -> dict[str, Any]:
    """What `encode` wrote and nobody changed since: nothing is checked again."""
    return _decoder.decode(body)


def encode(resource: dict[str, Any]) -> bytes:
    return _encoder.encode(resource)


def _decimal(text: str) -> Decimal:
    if len(text) > DECIMAL_CHARACTERS_MAX:
        raise ValueError(f"A number has more than {DECIMAL_CHARACTERS_MAX} characters")
    number = Decimal(text)
    if number and abs(number.adjusted()) > DECIMAL_EXPONENT_MAX:
        raise ValueError(f"The number {text} is out of bounds")
    return number


_decoder = msgspec.json.Decoder(dict[str, Any], float_hook=_decimal)
_list_decoder = msgspec.json.Decoder(list[Any], float_hook=_decimal)
_encoder = msgspec.json.Encoder(decimal_format="number")


def _bad(message: str) -> BadJson:
    """The decoder's sentence, with its byte offset as the place."""
    offset = re.search(r" \(byte (\d+)\)$", message)
    text = message[: offset.start()] if offset else message
    place = f"byte {offset[1]}" if offset else None
    return BadJson(f"{text}.", place)


def _refuse_nul(encoded: bytes) -> None:
    # An even run of backslashes before it is a written backslash, and "u0000" then only text.
    for found in re.finditer(rb"(\\+)u0000", encoded):
        if len(found[1]) % 2:
            raise BadJson("A string contains the character U+0000, which FHIR forbids.")


def _refuse_repeated_keys(body: bytes) -> None:
    def one_of_each(pairs: list[tuple[str, Any]]) -> None:
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise BadJson("An object names the same property twice.", key[:64])
            seen.add(key)

    # A depth that the first decoder bore can still be too much for this one.
    try:
        json.loads(body, object_pairs_hook=one_of_each, parse_float=str, parse_int=str)
    except RecursionError as error:
        raise BadJson("The JSON is nested too deeply.") from error
