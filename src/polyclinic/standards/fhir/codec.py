"""FHIR JSON to plain values and back, with decimals as they were written (1.00 stays 1.00)."""

from decimal import Decimal
from typing import Any

import msgspec


class BadJson(ValueError):
    """The bytes are not a JSON object that FHIR allows; `place` says where, when known."""

    def __init__(self, text: str, place: str | None = None) -> None:
        super().__init__(text)
        self.text = text
        self.place = place


_decoder = msgspec.json.Decoder(dict[str, Any], float_hook=Decimal)
_encoder = msgspec.json.Encoder(decimal_format="number")


def decode(body: bytes) -> dict[str, Any]:
    try:
        return _decoder.decode(body)
    except RecursionError as error:
        raise BadJson("The JSON is nested too deeply.") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadJson(f"The body is not a JSON object: {error}") from error


def encode(resource: dict[str, Any]) -> bytes:
    return _encoder.encode(resource)
