"""What the front door says itself: where nothing is, what is lost, what this installation offers.

Programs read JSON or an OperationOutcome; people read a page that needs no file of any service.
"""

import base64
import hashlib
import html
from collections.abc import Sequence

import msgspec
from starlette.responses import Response

from polyclinic.foundation import telemetry
from polyclinic.foundation.errors import Overloaded
from polyclinic.foundation.http import Message, Send
from polyclinic.foundation.service import Service

RETRY = {"retry-after": "2"}

_STYLE = (
    ":root{color-scheme:light dark}body{font:1.125rem/1.6 system-ui,sans-serif;max-width:38rem;"
    "margin:12vh auto;padding:0 1.25rem}h1{font-size:1.6rem;line-height:1.3}"
    "a{color:LinkText}dt{font-weight:600;margin-top:1rem}dd{margin:0}small{opacity:.8}"
)
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_HEADERS = {
    "content-security-policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; frame-ancestors 'none'; "
        "base-uri 'none'; form-action 'none'"
    ),
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


def json(value: object, status: int = 200) -> Response:
    headers = {"cache-control": "no-store", **(RETRY if status == 503 else {})}
    return Response(msgspec.json.encode(value), status, headers, "application/json")


def refused(scope: Message, status: int, code: str, title: str, text: str) -> Response:
    """A refusal in the words of whoever asked: FHIR, a person's browser, or another program."""
    more = {"x-request-id": telemetry.request_id.get(), **(RETRY if status in (503, 504) else {})}
    if _is_fhir(scope["path"]):
        issue = {"severity": "error", "code": code, "diagnostics": text, "expression": ["url"]}
        value = {"resourceType": "OperationOutcome", "issue": [issue]}
        return Response(msgspec.json.encode(value), status, more, "application/fhir+json")
    if _wants_page(scope):
        number = f"<p><small>Number {html.escape(telemetry.request_id.get())}</small></p>"
        again = (
            '<p><a href="">Try again</a></p>'
            if status >= 503
            else '<p><a href="/">First page</a></p>'
        )
        return _page(title, f"<p>{html.escape(text)}</p>{again}{number}", status, more)
    problem = {"error": code, "error_description": text, "request": telemetry.request_id.get()}
    return Response(msgspec.json.encode(problem), status, more, "application/json")


def missing(scope: Message) -> Response:
    if _is_fhir(scope["path"]):
        text = "No service of this installation keeps records."
        return refused(scope, 404, "not-supported", "No records here", text)
    text = "No service of this installation has this address. What there is stands at /."
    return refused(scope, 404, "not-found", "There is nothing at this address", text)


def lost(scope: Message, name: str) -> Response:
    text = f"The {name} service does not answer at the moment. Nothing is lost; try again shortly."
    title = "Signing in is not possible at the moment" if name == "identity" else "Please wait"
    return refused(scope, 503, "transient", title, text)


_FULL = Overloaded().message
_ISSUE = {"severity": "error", "code": "throttled", "diagnostics": _FULL}
_FULL_FHIR = Response(
    msgspec.json.encode({"resourceType": "OperationOutcome", "issue": [_ISSUE]}),
    503,
    RETRY,
    "application/fhir+json",
)
_FULL_JSON = json({"error": "throttled", "error_description": _FULL}, 503)


async def full(scope: Message, send: Send) -> None:
    """Made before: what it costs to send many away is taken from those who are served."""
    if _is_fhir(scope["path"]):
        response = _FULL_FHIR
    else:
        response = _FULL_PAGE if _wants_page(scope) else _FULL_JSON
    headers = list(response.raw_headers)
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": response.body})


def late(scope: Message, name: str) -> Response:
    text = f"The {name} service has not answered in time. Whether it did its work is not known."
    return refused(scope, 504, "timeout", "No answer in time", text)


def offers(scope: Message, services: Sequence[Service]) -> Response:
    """The first page of an installation without the portal: what is here, honestly."""
    found = {
        service.name: {
            "about": service.about,
            "addresses": [front for front in service.fronts if front != "/"],
            "ready": f"/{service.name}/health/ready",
        }
        for service in services
    }
    if not _wants_page(scope):
        links = {"fhir": "/fhir/metadata"} if "records" in found else {}
        return json({"platform": "polyclinic", "services": found, **links})
    rows = "".join(
        f"<dt>{html.escape(name)}</dt><dd>{html.escape(str(said['about']))}</dd>"
        for name, said in found.items()
    )
    fhir = (
        '<p>Programs read and write records as FHIR R4 at <a href="/fhir/metadata">/fhir</a>.</p>'
        if "records" in found
        else ""
    )
    text = "<p>The portal is not part of this installation, so there are no pages here.</p>"
    return _page("What this installation offers", f"{text}<dl>{rows}</dl>{fhir}", 200, {})


def _page(title: str, inner: str, status: int, more: dict[str, str]) -> Response:
    content = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style></head>"
        f"<body><main><h1>{html.escape(title)}</h1>{inner}</main></body></html>"
    )
    return Response(content, status, {**_HEADERS, **more}, "text/html")


_FULL_PAGE = _page(
    "Too many people at once",
    f'<p>{html.escape(_FULL)} Nothing is lost.</p><p><a href="">Try again</a></p>',
    503,
    RETRY,
)


def _is_fhir(path: str) -> bool:
    return path == "/fhir" or path.startswith("/fhir/")


def _wants_page(scope: Message) -> bool:
    accepted = b",".join(value for key, value in scope["headers"] if key == b"accept")
    return b"text/html" in accepted
