"""The tree at audit's door: leaves, nodes, checkpoints and proofs, for whoever proves them."""

import base64
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from polyclinic.foundation import http
from polyclinic.foundation.errors import Invalid, NotFound
from polyclinic.foundation.trail.door import check_reader
from polyclinic.foundation.trail.reading import Spot
from polyclinic.services.audit.actions import hashing
from polyclinic.services.audit.routes.answers import engine_of, number, query
from polyclinic.services.audit.store import tree
from polyclinic.standards.transparency import merkle

PAGE = 1000
SIZE_MAX = 1 << 62


async def get_key(request: Request) -> Response:
    """The public key that checkpoints are signed with: open to all, as keys are."""
    engine = engine_of(request)
    return http.json({"key": str(engine.signer.verifier), "origin": engine.settings.origin})


async def get_checkpoints(request: Request) -> Response:
    """Signed notes of trees larger than `after`, the smallest first: sizes and roots."""
    after = number(query(request, "after"), "after", 0, SIZE_MAX)
    rows = await tree.list_checkpoints(engine_of(request).database, after, PAGE)
    return http.json({"checkpoints": [{"size": r["size"], "note": r["note"]} for r in rows]})


async def get_entries(request: Request) -> Response:
    """Leaves by number, or those of one source in the order of its trail."""
    await check_reader(request)
    given = query(request, "after", "source")
    database = engine_of(request).database
    if source := given.get("source"):
        spot = Spot.read(given.get("after", "0.0.0"))
        after = (spot.generation, spot.tx, spot.position)
        rows = await tree.list_entries_of(database, source, after, PAGE)
    else:
        rows = await tree.list_entries(database, number(given, "after", -1, SIZE_MAX), PAGE)
    return http.json({"entries": [_leaf(row) for row in rows]})


def _leaf(row: Any) -> dict[str, Any]:
    """A leaf as its row says it; `body` in base64, for its bytes are what is hashed."""
    said = {name: row[name] for name in ("seq", "source", "at", "patient", "actor")}
    place = str(Spot(row["generation"], row["tx"], row["position"]))
    body = base64.b64encode(row["body"]).decode()
    return {**said, "spot": place, "leaf": row["leaf"].hex(), "body": body}


async def get_nodes(request: Request) -> Response:
    await check_reader(request)
    given = query(request, "level", "position")
    level, position = number(given, "level", 0, 9), number(given, "position", -1, SIZE_MAX)
    rows = await tree.list_nodes(engine_of(request).database, (level, position), PAGE)
    found = [{"level": r[0], "position": r[1], "hash": r[2].hex()} for r in rows]
    return http.json({"nodes": found})


async def get_sources(request: Request) -> Response:
    """From which trails there are leaves, and which there are to gather."""
    await check_reader(request)
    engine = engine_of(request)
    named = {f"{service}.{trail}" for service, each in engine.named.items() for trail in each}
    kept = await tree.list_sources(engine.database)
    return http.json({"sources": sorted({*kept, *named})})


async def get_inclusion(request: Request) -> Response:
    """The proof that a leaf is in the tree of `size` leaves."""
    await check_reader(request)
    given = query(request, "seq", "size")
    return await _proof(request, given, "seq")


async def get_consistency(request: Request) -> Response:
    """The proof that the tree of `size` leaves begins with that of `from` leaves."""
    given = query(request, "from", "size")
    return await _proof(request, given, "from")


async def _proof(request: Request, given: dict[str, str], what: str) -> Response:
    database = engine_of(request).database
    size, asked = number(given, "size", 0, SIZE_MAX), number(given, what, 0, SIZE_MAX)
    if size > await tree.find_size(database):
        raise NotFound("The tree is not that large.", place="size")
    ranges = merkle.inclusion_ranges if what == "seq" else merkle.consistency_ranges
    try:
        wanted = ranges(asked, size)
    except ValueError as odd:
        raise Invalid(str(odd), place=what) from odd
    proof = await hashing.hashes(database, wanted)
    root = await hashing.root(database, size)
    return http.json({"root": root.hex(), "proof": [each.hex() for each in proof]})


async def get_status(request: Request) -> Response:
    """How large the tree is and how much of it is signed: numbers only."""
    await http.caller(request)
    database = engine_of(request).database
    last = await tree.find_last_checkpoint(database)
    value = {"size": await tree.find_size(database), "signed": last["size"] if last else 0}
    return Response(msgspec.json.encode(value), media_type="application/json")


tree_routes = (
    Route("/audit/key", get_key),
    Route("/audit/status", get_status),
    Route("/audit/checkpoints", get_checkpoints),
    Route("/audit/entries", get_entries),
    Route("/audit/nodes", get_nodes),
    Route("/audit/sources", get_sources),
    Route("/audit/proofs/inclusion", get_inclusion),
    Route("/audit/proofs/consistency", get_consistency),
)
