"""The gateway's REST: forms in, JSON out, and one answer for each idempotency key."""

import asyncio
import hmac
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from polyclinic.demo.cards import paying
from polyclinic.demo.cards.kept import Json, Kept, digest

_TYPES = {"sessions": "checkout.session", "payment_intents": "payment_intent",
          "refunds": "refund", "disputes": "dispute"}  # fmt: skip
HANG_SECONDS = 3  # long enough to be killed in
Act = Callable[[Kept, dict[str, str], Request], Json]


class Refused(Exception):
    """The request is answered with an error of this status and code."""

    def __init__(self, code: str, status: int = 400) -> None:
        self.code, self.status = code, status
        super().__init__(code)


def kept_of(request: Request) -> Kept:
    return request.app.state.kept


def posted(act: Act) -> Callable[[Request], Awaitable[Response]]:
    """A POST that is carried out once for each key, whatever else the network does."""

    async def door(request: Request) -> Response:
        kept = kept_of(request)
        _check_key(request, kept)
        trouble = kept.trouble.pop(0) if kept.trouble else ""
        if trouble == "hang before":
            await asyncio.sleep(HANG_SECONDS)
        if trouble.endswith("before"):
            return _error("api_error", 500)
        content = await request.body()
        with kept.whole():
            status, body = _once(kept, request, content, act)
        if trouble == "hang after":
            await asyncio.sleep(HANG_SECONDS)
        # The deed is done and its answer never arrives: what a broken connection looks like.
        return _error("api_error", 500) if trouble.endswith("after") else _json(body, status)

    return door


def _once(kept: Kept, request: Request, content: bytes, act: Act) -> tuple[int, bytes]:
    key = request.headers.get("idempotency-key")
    asked = digest(request.url.path.encode(), content)
    if key is not None and (known := kept.answered(key)) is not None:
        if known[0] != asked:
            raise Refused("idempotency_key_in_use")
        return known[1], known[2]
    try:
        made = act(kept, dict(parse_qsl(content.decode(), keep_blank_values=True)), request)
        status, body = 200, _encoded(kept, made, expand=b"expand" in content)
    except Refused as refused:
        status, body = refused.status, _error(refused.code, refused.status).body
    if key is not None:
        kept.answer(key, asked, status, bytes(body))
    return status, bytes(body)


def _make_session(kept: Kept, form: dict[str, str], _: Request) -> Json:
    amount = form.get("line_items[0][price_data][unit_amount]", "")
    if form.get("mode") != "payment" or not amount.isdigit() or not 50 <= int(amount) < 10**8:
        raise Refused("amount_too_small" if amount.isdigit() else "parameter_missing")
    if int(form.get("expires_at", "0")) <= kept.now():
        raise Refused("parameter_invalid")
    session = kept.add(
        "checkout.session",
        status="open",
        payment_status="unpaid",
        amount_total=int(amount),
        currency=form["line_items[0][price_data][currency]"],
        client_reference_id=form.get("client_reference_id"),
        metadata=_metadata(form, "metadata"),
        payment_intent=None,
        success_url=form["success_url"],
        expires_at=int(form["expires_at"]),
        _intent_metadata=_metadata(form, "payment_intent_data[metadata]"),
    )
    session["url"] = f"{kept.settings.url}/pay/{session['id']}"
    return kept.save(session)


def _expire(kept: Kept, _: dict[str, str], request: Request) -> Json:
    session = _found(kept, "sessions", request)
    if session["status"] != "open":
        raise Refused("resource_not_open")
    return paying.expire(kept, session)


def _make_refund(kept: Kept, form: dict[str, str], _: Request) -> Json:
    intent = kept.find("payment_intent", form.get("payment_intent", ""))
    if intent is None:
        raise Refused("resource_missing", 404)
    same = [r for r in kept.all("refund") if r["payment_intent"] == intent["id"]]
    given = sum(r["amount"] for r in same if r["status"] != "failed")
    disputes = [d for d in kept.all("dispute") if d["payment_intent"] == intent["id"]]
    if any(each["status"] != "won" for each in disputes):
        raise Refused("charge_disputed")
    amount = int(form.get("amount", "0"))
    if intent["status"] != "succeeded" or not 0 < amount <= intent["amount"] - given:
        raise Refused("charge_already_refunded")
    return paying.give_back(kept, intent, amount, _metadata(form, "metadata"))


async def get_one(request: Request) -> Response:
    kept = kept_of(request)
    _check_key(request, kept)
    paying.settle_due(kept)
    found = _found(kept, request.path_params["kind"], request)
    return _json(_encoded(kept, found, expand="expand" in request.url.query))


async def get_all(request: Request) -> Response:
    """Newest first, by time of creation and by payment intent, page by page."""
    kept, asked = kept_of(request), request.query_params
    _check_key(request, kept)
    paying.settle_due(kept)
    found = [
        each
        for each in kept.all(_TYPES[request.path_params["kind"]])
        if int(asked.get("created[gte]", 0)) <= each["created"]
        and each["created"] <= int(asked.get("created[lte]", 1 << 40))
        and asked.get("payment_intent", each.get("payment_intent")) == each.get("payment_intent")
    ]
    names = [each["id"] for each in found]
    start = names.index(asked["starting_after"]) + 1 if "starting_after" in asked else 0
    limit = int(asked.get("limit", "10"))
    page = [_shown(each) for each in found[start : start + limit]]
    whole = {"object": "list", "data": page, "has_more": len(found) > start + limit}
    return _json(msgspec.json.encode(whole))


def _found(kept: Kept, kind: str, request: Request) -> Json:
    found = kept.find(_TYPES[kind], request.path_params["id"])
    if found is None:
        raise Refused("resource_missing", 404)
    return found


def _metadata(form: dict[str, str], prefix: str) -> dict[str, str]:
    start = f"{prefix}["
    return {n[len(start) : -1]: v for n, v in form.items() if n.startswith(start)}


def _shown(found: Json) -> Json:
    return {name: value for name, value in found.items() if not name.startswith("_")}


def _encoded(kept: Kept, found: Json, *, expand: bool) -> bytes:
    shown: dict[str, Any] = _shown(found)
    if expand and found["object"] == "checkout.session" and found["payment_intent"]:
        intent = kept.find("payment_intent", found["payment_intent"])
        shown["payment_intent"] = _shown(intent or {})
    return msgspec.json.encode(shown)


def _check_key(request: Request, kept: Kept) -> None:
    given = request.headers.get("authorization", "")
    if not hmac.compare_digest(given.encode(), f"Bearer {kept.settings.key}".encode()):
        raise Refused("api_key_invalid", 401)


def _json(body: bytes, status: int = 200) -> Response:
    return Response(body, status, media_type="application/json")


def _error(code: str, status: int) -> Response:
    kind = "api_error" if status >= 500 else "invalid_request_error"
    error = {"type": kind, "code": code, "message": "Refused."}
    return _json(msgspec.json.encode({"error": error}), status)


async def _refusal(_: Request, refused: Exception) -> Response:
    assert isinstance(refused, Refused)
    return _error(refused.code, refused.status)


refusals: Any = {Refused: _refusal}
_KIND = "{kind:str}"
routes = [
    Route("/v1/checkout/sessions", posted(_make_session), methods=["POST"]),
    Route("/v1/checkout/sessions/{id}/expire", posted(_expire), methods=["POST"]),
    Route("/v1/refunds", posted(_make_refund), methods=["POST"]),
    Route("/v1/checkout/{kind}", get_all),
    Route("/v1/checkout/{kind}/{id}", get_one),
    Route("/v1/{kind}", get_all),
    Route("/v1/{kind}/{id}", get_one),
]
