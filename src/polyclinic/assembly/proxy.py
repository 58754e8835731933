"""The streaming proxy between two processes of one platform (foundation/passing.py)."""

import contextlib

import httpx
from starlette.responses import Response

from polyclinic.assembly import answers
from polyclinic.assembly.hop import HEADER, Hops
from polyclinic.foundation import telemetry
from polyclinic.foundation.http import BODY_MAX, Message, Receive, Send
from polyclinic.foundation.passing import (
    OWN,
    Gone,
    TooLong,
    Upload,
    asked,
    declared_length,
    has_body,
    pass_back,
    passed,
)
from polyclinic.foundation.peers import Peers

# An import waits for validation, sealing and fsync of up to 32 MB, as the command line does.
TIMEOUTS = {"connect": 2.0, "read": 300.0, "write": 60.0, "pool": 10.0}


async def proxy(
    peers: Peers, hops: Hops, name: str, scope: Message, receive: Receive, send: Send
) -> None:
    """Passes a request to a service elsewhere and streams its answer back."""
    if declared_length(scope) > BODY_MAX:
        await _too_long(scope)(scope, receive, send)
        return
    upload = Upload(receive)
    request = _request(peers.client(name), hops, scope, upload)
    try:
        answer = await asked(peers.wire(name), request, upload)
    except Gone:
        return
    except TooLong:
        await _too_long(scope)(scope, receive, send)
        return
    except httpx.ReadTimeout:
        telemetry.log("peer late", kind=name)
        await answers.late(scope, name)(scope, receive, send)
        return
    except httpx.TransportError as broken:
        telemetry.log("peer lost", kind=name, error=type(broken).__name__)
        await answers.lost(scope, name)(scope, receive, send)
        return
    async with contextlib.aclosing(answer):
        await pass_back(answer, send)


def _request(
    client: httpx.AsyncClient, hops: Hops, scope: Message, upload: Upload
) -> httpx.Request:
    """Built by hand: the client would add its own Accept-Encoding, User-Agent and cookies."""
    target = scope["raw_path"] + (b"?" + scope["query_string"] if scope["query_string"] else b"")
    headers = [(k, v) for k, v in passed(scope["headers"], OWN) if k != HEADER]
    headers.append((HEADER, hops.write(scope)))
    if not has_body(scope):
        upload.no_body()
    return httpx.Request(
        scope["method"],
        client.base_url,
        headers=headers,
        content=upload.parts() if has_body(scope) else None,
        extensions={"target": target, "timeout": TIMEOUTS},
    )


def _too_long(scope: Message) -> Response:
    text = f"The body is larger than {BODY_MAX // 1024} KiB."
    return answers.refused(scope, 413, "too-long", "Too large", text)
