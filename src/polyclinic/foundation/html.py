"""Pages: Jinja2 templates under a strict content security policy, and the files they need.

A service keeps its own in `templates/` and `static/` beside its code; `foundation/look` lies under
both, so every page has the same base. Nothing is written into a page but by escaping templates.
"""

import base64
import gzip
import hashlib
import mimetypes
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; "
    "base-uri 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
LOOK = "polyclinic.foundation.look"
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
FOREVER = "public, max-age=31536000, immutable"


class Pages:
    """Draws one service's templates: `Pages("polyclinic.services.portal", "/static")`."""

    def __init__(self, package: str, static_prefix: str, *, clinic: str = "Northside") -> None:
        self._assets = _Assets.of(package, static_prefix)
        folders = [_folder(package, "templates"), _folder(LOOK, "templates")]
        self._environment = Environment(
            loader=FileSystemLoader(folders),
            autoescape=select_autoescape(default=True, default_for_string=True),
            undefined=StrictUndefined,
            auto_reload=False,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        known: dict[str, object] = {"static": self._assets.address, "clinic": clinic}
        cast("dict[str, object]", self._environment.globals).update(known)

    def page(
        self, request: Request, template: str, status: int = 200, **values: object
    ) -> HTMLResponse:
        """A whole page, or the part of it that its template is, never kept by any cache."""
        text = self._environment.get_template(template).render(path=request.url.path, **values)
        # What htmx asks for and what a person asks for may differ under one address.
        return HTMLResponse(text, status, {**HEADERS, "Vary": "HX-Request"})


@dataclass(frozen=True, slots=True)
class Cookie:
    """A cookie that scripts cannot read, for this host alone (`__Host-`) and over TLS alone.

    Only on one's own computer without TLS it goes plain, under a name of its own: Safari keeps no
    Secure cookie of `http://127.0.0.1`. `base` is the address that people see, None if not known.
    """

    name: str

    def read(self, request: Request, base: str | None) -> str | None:
        return request.cookies.get(self.full_name(base))

    def keep(
        self, response: Response, base: str | None, value: str, seconds: int | None = None
    ) -> None:
        response.set_cookie(
            self.full_name(base),
            value,
            max_age=seconds,
            path="/",
            secure=not is_own_computer(base),
            httponly=True,
            samesite="lax",
        )

    def drop(self, response: Response, base: str | None) -> None:
        # Browsers let only a Secure cookie replace one of the `__Host-` names.
        secure = not is_own_computer(base)
        response.delete_cookie(
            self.full_name(base), path="/", secure=secure, httponly=True, samesite="lax"
        )

    def full_name(self, base: str | None) -> str:
        return self.name if is_own_computer(base) else f"__Host-{self.name}"


def is_own_computer(base: str | None) -> bool:
    """Whether people reach us over plain HTTP on the very computer that we run on."""
    try:
        parts = urlsplit(base or "")
    except ValueError:
        return False
    return parts.scheme == "http" and parts.hostname in LOOPBACK


def static_routes(prefix: str, package: str) -> list[Route]:
    """Serves the look and a service's own `static/` under `prefix`, read once, kept in memory."""
    assets = _Assets.of(package, prefix)

    async def static(request: Request) -> Response:
        asset = assets.find(request.path_params["name"])
        return Response(status_code=404) if asset is None else _answer(asset, request)

    return [Route(f"{prefix}/{{name:path}}", static, methods=["GET"], name="static")]


@dataclass(frozen=True)
class _Asset:
    name: str
    content: bytes

    @cached_property
    def mark(self) -> str:
        digest = hashlib.sha256(self.content).digest()
        return base64.urlsafe_b64encode(digest[:9]).decode()

    @cached_property
    def zipped(self) -> bytes | None:
        # Fonts are compressed already.
        return None if self.name.endswith(".woff2") else gzip.compress(self.content, 9, mtime=0)

    @property
    def is_versioned(self) -> bool:
        return self.name.startswith("vendor/")

    @property
    def kind(self) -> str:
        if self.name.endswith(".woff2"):
            return "font/woff2"
        return mimetypes.guess_type(self.name)[0] or "application/octet-stream"


class _Assets:
    """Every file that pages may name; a name outside is an error when the page is drawn."""

    _known: dict[tuple[str, str], "_Assets"] = {}  # noqa: RUF012 one per package and prefix

    def __init__(self, package: str, prefix: str) -> None:
        self._prefix = prefix
        self._assets: dict[str, _Asset] = {}
        for owner in (LOOK, package):
            folder = _folder(owner, "static")
            for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
                if path.is_file():
                    name = path.relative_to(folder).as_posix()
                    self._assets[name] = _Asset(name, path.read_bytes())

    @classmethod
    def of(cls, package: str, prefix: str) -> "_Assets":
        return cls._known.setdefault((package, prefix), cls(package, prefix))

    def find(self, name: str) -> _Asset | None:
        return self._assets.get(name)

    def address(self, name: str) -> str:
        asset = self._assets[name]
        # A vendored file has its version in its name; styles name it without a mark.
        return f"{self._prefix}/{name}" + ("" if asset.is_versioned else f"?v={asset.mark}")


def _answer(asset: _Asset, request: Request) -> Response:
    etag = f'"{asset.mark}"'
    fixed = asset.is_versioned or request.query_params.get("v") == asset.mark
    headers = {
        "Cache-Control": FOREVER if fixed else "no-cache",
        "ETag": etag,
        "Vary": "Accept-Encoding",
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Resource-Policy": "same-origin",
    }
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers=headers)
    content = asset.content
    if asset.zipped is not None and "gzip" in request.headers.get("accept-encoding", ""):
        content = asset.zipped
        headers["Content-Encoding"] = "gzip"
    return Response(content, headers=headers, media_type=asset.kind)


def _folder(package: str, name: str) -> Path:
    return Path(str(files(package))) / name
