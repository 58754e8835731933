"""The insurer at work: over a folder that it shares with the clinic, or over HTTP."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from polyclinic.demo.payer.deciding import Payer, answers
from polyclinic.demo.payer.rules import Rules
from polyclinic.foundation import clock
from polyclinic.foundation.work import in_thread

EVERY_SECONDS = 1.0


async def serve_folder(folder: Path, rules: Rules) -> None:
    """Answers what lies in `out` by files in `in`, until it is stopped."""
    while True:
        await in_thread(answer_folder, folder, rules)
        await asyncio.sleep(EVERY_SECONDS)


def answer_folder(folder: Path, rules: Rules) -> int:
    """One look into the folder; a file that was answered moves to `answered`."""
    out, back, done = (folder / name for name in ("out", "in", "answered"))
    for part in (out, back, done):
        part.mkdir(parents=True, exist_ok=True)
    found = sorted(f for f in out.iterdir() if f.is_file() and not f.name.startswith("."))
    for file in found:
        # The file's own time, not ours: answered again after a crash it is answered alike.
        came = datetime.fromtimestamp(file.stat().st_mtime, UTC)
        for n, (kind, content) in enumerate(answers(Payer(rules, came), file.read_bytes()), 1):
            half = back / f".{file.stem}.{n}.{kind}.part"
            half.write_bytes(content)
            half.replace(back / f"{file.stem}.{n}.{kind}.x12")
        file.replace(done / file.name)
    return len(found)


@dataclass(slots=True)
class _Box:
    """What waits to be fetched, and what was taken before."""

    waiting: dict[str, bytes] = field(default_factory=dict[str, bytes])
    taken: set[str] = field(default_factory=set[str])


def app(rules: Rules) -> Starlette:
    """PUT /files/<name> takes a file; GET /files lists answers, GET and DELETE one of them."""
    box = _Box()

    async def put(request: Request) -> Response:
        name, content = request.path_params["name"], await request.body()
        if name not in box.taken:
            for n, (kind, answer) in enumerate(answers(Payer(rules, clock.now()), content), 1):
                box.waiting[f"{name}.{n}.{kind}.x12"] = answer
            box.taken.add(name)
        return Response(status_code=202)

    async def listed(_: Request) -> Response:
        return JSONResponse({"files": sorted(box.waiting)})

    async def get(request: Request) -> Response:
        content = box.waiting.get(request.path_params["name"])
        if content is None:
            return Response(status_code=404)
        return Response(content, media_type="application/edi-x12")

    async def delete(request: Request) -> Response:
        box.waiting.pop(request.path_params["name"], None)
        return Response(status_code=204)

    return Starlette(
        routes=[
            Route("/files", listed, methods=["GET"]),
            Route("/files/{name}", put, methods=["PUT"]),
            Route("/files/{name}", get, methods=["GET"]),
            Route("/files/{name}", delete, methods=["DELETE"]),
        ]
    )
