"""Rows of resources, as they come out of the database and as they are opened."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString

from polyclinic.fhirserver.access import Grant
from polyclinic.fhirserver.errand import Errand
from polyclinic.fhirserver.store.keys import Keys
from polyclinic.foundation import telemetry
from polyclinic.foundation.vault import Place, Unreadable, Vault, key_id_of

TABLE = "resource"
UNREADABLE = "!"  # a method that no row has: its envelope does not open

# A patient's own are all records of that person.
# Grants travel as columns; `required` as text, because arrays of arrays must not be ragged.
GRANTS: LiteralString = """g AS MATERIALIZED (
    SELECT gn, types, open_types, labels, practitioner, required::bigint[] AS required,
           CASE WHEN patient IS NOT NULL THEN array_append(ARRAY(
               SELECT a.alias FROM patient_alias a WHERE a.patient = t.patient), patient)
           END AS patients
    FROM unnest($1::int[], $2::bytea[], $3::bytea[], $4::bigint[], $5::bigint[], $6::bigint[],
                $7::text[])
         AS t(gn, types, open_types, labels, patient, practitioner, required))"""


@dataclass(frozen=True, slots=True)
class Document:
    """A version of a resource; `body` is its JSON, or None when this version is a deletion."""

    type: str
    id: str
    version: int
    updated: datetime
    body: bytes | None
    method: str = "P"
    pid: int = 0


def array(values: Iterable[int] | None) -> str | None:
    """An array in PostgreSQL's own writing."""
    return None if values is None else "{" + ",".join(map(str, values)) + "}"


class Columns:
    """Grants of a batch as columns, each different one once."""

    def __init__(self) -> None:
        self._numbers: dict[Grant, int] = {}

    def number(self, grant: Grant) -> int:
        return self._numbers.setdefault(grant, len(self._numbers))

    def values(self) -> tuple[list[Any], ...]:
        grants = list(self._numbers)
        return (
            list(range(len(grants))),
            [g.types for g in grants],
            [g.open_types for g in grants],
            [g.labels for g in grants],
            [g.patient for g in grants],
            [g.practitioner for g in grants],
            [array(g.required) for g in grants],
        )


def who(errands: Iterable[Errand]) -> tuple[list[Any], list[str], list[str]]:
    """Request, actor and client of each errand, for the access log."""
    listed = list(errands)
    return (
        [e.request for e in listed],
        [e.access.actor for e in listed],
        [e.access.client for e in listed],
    )


async def load_keys(keys: Keys, rows: Iterable[Any]) -> None:
    await keys.load(key_id_of(r["envelope"]) for r in rows if r["envelope"] is not None)


def open_or_hide(vault: Vault, keys: Keys, resource_type: str, row: Any) -> Document:
    """For pages: what does not open is shown as such (method UNREADABLE) beside its neighbours."""
    try:
        return open_row(vault, keys, resource_type, row)
    except Unreadable:
        return Document(
            resource_type, row["id"], row["version"], row["updated"], None, UNREADABLE, row["pid"]
        )


def open_row(vault: Vault, keys: Keys, resource_type: str, row: Any) -> Document:
    """Opens one row whose key is loaded; raises Unreadable when anything was changed or moved."""
    envelope, resource_id, version = row["envelope"], row["id"], row["version"]
    body = None
    if envelope is not None:
        place = Place(TABLE, resource_type, resource_id, version)
        try:
            body = vault.unseal(keys.known(key_id_of(envelope)), place, envelope)
        except Unreadable:
            telemetry.log("unreadable", logging.ERROR, table=TABLE, kind=resource_type)
            raise
    return Document(
        resource_type,
        resource_id,
        version,
        row["updated"],
        body,
        row["method"].decode(),
        row["pid"],
    )
