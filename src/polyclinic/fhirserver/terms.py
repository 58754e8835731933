"""Keyed hashes: what the index holds instead of what people wrote.

A term is a 64-bit BLAKE2b keyed per service, domain-separated by type, parameter and variant;
an identifier's is 128 bits (two terms). Every hit is verified on the opened resource, so a
collision costs time and never shows a wrong record.
"""

import secrets
from datetime import date
from functools import cache, lru_cache
from hashlib import blake2b

from polyclinic.fhirserver import name_frequency
from polyclinic.foundation.vault import Vault
from polyclinic.standards.fhir.search_values import normalise_text

PREFIXES = (3, 4, 5)  # edge n-grams; longer starts are found by five letters and verified
TAU = 1e-4  # frequency smoothing threshold: decisions/0006


def _signed(digest: bytes) -> int:
    return int.from_bytes(digest, "big", signed=True)


@cache
def param_number(resource_type: str, code: str) -> int:
    """A stable number for a parameter of a type; nothing secret, so it is not keyed."""
    digest = blake2b(f"{resource_type}.{code}".encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big", signed=True)


class Terms:
    """Makes the terms of one service's index."""

    def __init__(self, vault: Vault) -> None:
        self._key = vault.secret("index", 64)
        # Codes repeat endlessly, names and ids do not: only the former are worth remembering.
        self.common = lru_cache(maxsize=32_768)(self._common)

    def _hash(self, text: str, size: int = 8) -> bytes:
        return blake2b(
            text.encode("utf-8", "surrogatepass"), digest_size=size, key=self._key
        ).digest()

    def _common(self, resource_type: str, param: str, variant: str, value: str) -> int:
        return _signed(self._hash(f"{resource_type}\x1f{param}\x1f{variant}\x1f{value}"))

    def term(self, resource_type: str, param: str, variant: str, value: str) -> int:
        return _signed(self._hash(f"{resource_type}\x1f{param}\x1f{variant}\x1f{value}"))

    def pair(self, resource_type: str, param: str, variant: str, value: str) -> tuple[int, int]:
        """The 128-bit term of an identifier."""
        digest = self._hash(f"{resource_type}\x1f{param}\x1f{variant}\x1f{value}", 16)
        return _signed(digest[:8]), _signed(digest[8:])

    @lru_cache(maxsize=16_384)  # noqa: B019 - one Terms lives as long as its service
    def person(self, reference: str) -> int:
        """The opaque number of a patient or practitioner (`Patient/<id>`)."""
        return _signed(self._hash(f"person\x1f{reference}"))

    def points_at(self, reference: str) -> int:
        """The term that any resource has that refers to this one, by whatever element."""
        return self.term("*", "*", "reference", reference)

    def stored_text(self, resource_type: str, param: str, text: str) -> list[int]:
        """The terms of a string: whole and by its first letters, each under one random salt."""
        return [
            self._smooth(resource_type, param, variant, part, secrets.randbelow(salts))
            for variant, part, salts in _parts(param, normalise_text(text))
        ]

    def asked_text(self, resource_type: str, param: str, text: str) -> tuple[int, ...] | None:
        """Any of these terms may stand for the asked beginning; None when it is too short."""
        start = normalise_text(text)
        known = [
            (variant, part, salts)
            for variant, part, salts in _parts(param, start)
            if variant != "all"
        ]
        if not known:
            return None
        variant, part, salts = known[-1]
        return tuple(
            self._smooth(resource_type, param, variant, part, salt) for salt in range(salts)
        )

    def asked_whole(self, resource_type: str, param: str, text: str) -> tuple[int, ...]:
        """Any of these terms may stand for exactly this text (case and accents aside)."""
        whole = normalise_text(text)
        return tuple(
            self._smooth(resource_type, param, "all", whole, salt)
            for salt in range(_salts(param, "", whole))
        )

    def _smooth(self, resource_type: str, param: str, variant: str, part: str, salt: int) -> int:
        return self.term(resource_type, param, variant, f"{part}\x1f{salt}")

    def day_terms(self, resource_type: str, param: str, day: date, precision: int) -> list[int]:
        """A person's date as year, month and day, so that no order can be read from the index."""
        texts = (f"{day:%Y}", f"{day:%Y-%m}", f"{day:%Y-%m-%d}")
        return [self.term(resource_type, param, "date", text) for text in texts[:precision]]

    def claim(self, resource_type: str, criteria: str) -> bytes:
        return self._hash(f"claim\x1f{resource_type}\x1f{criteria}", 16)


_SMOOTHED = frozenset({"family", "given", "name"})


def _salts(param: str, length: str, text: str) -> int:
    if param not in _SMOOTHED:
        return 1
    return name_frequency.salts(param + length, name_frequency.normalised(text), TAU)


def _parts(param: str, text: str) -> list[tuple[str, str, int]]:
    found = [
        (f"start{size}", text[:size], _salts(param, str(size), text[:size]))
        for size in PREFIXES
        if len(text) >= size
    ]
    if text:
        found.append(("all", text, _salts(param, "", text)))
    return found
