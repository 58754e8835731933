"""Requests to one other server over connections that stay open, as a transport for httpx.

httpcore parses in Python, aiohttp in C: that halves the processor time of a request passed on
(docs/decisions/0023). What aiohttp would write otherwise than it came goes by httpcore still.
"""

import asyncio
import contextlib
import select
from collections.abc import AsyncIterator, Generator
from typing import Any, ClassVar

import aiohttp
import httpx
from yarl import URL

# aiohttp would add these of its own accord.
_NOT_OURS = ("Accept", "Accept-Encoding", "User-Agent", "Content-Type")
# As generous as httpcore: an old system's cookies are long.
_LINE_MAX = 64 * 1024
_HEADERS_MAX = 256
# A body is written in parts of this size, so that the loop is not held.
_PART = 64 * 1024
# httpx's own default: shorter than what servers keep.
_IDLE_SECONDS = 5.0
_PATIENCE: dict[str, float | None] = {"connect": 2.0, "read": 15.0, "write": 15.0, "pool": 5.0}


class _Request(aiohttp.ClientRequest):
    """Adds no length to a request that came without a body."""

    GET_METHODS: ClassVar[set[str]] = {"GET", "HEAD", "OPTIONS", "TRACE", "DELETE"}


class _Kept(aiohttp.TCPConnector):
    """Gives out no kept connection on which the server said something that nobody asked for.

    Whatever stands there would be taken for the answer to the next question: another patient's.
    """

    async def _get(self, key: Any, traces: Any) -> Any:
        while (found := await super()._get(key, traces)) is not None and _has_spoken(found):
            found.close()
        return found


class Wire(httpx.AsyncBaseTransport):
    """Connections to servers: no redirects, no cookies, no proxies, nothing sent twice."""

    def __init__(self, connections: int) -> None:
        limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
        self._exact = httpx.AsyncHTTPTransport(limits=limits, trust_env=False)
        self._connections = connections
        self._session: aiohttp.ClientSession | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The head of the answer; its body is read from the stream. Raises TransportError."""
        target: bytes = request.extensions.get("target", request.url.raw_path)
        headers = _as_text(request.headers.raw)
        if headers is None or not target.isascii() or not target.startswith(b"/"):
            return await self._exact.handle_async_request(request)
        url = URL(f"{_origin(request.url)}{target.decode()}", encoded=True)
        body = _Body(request)
        with _said(body):
            async with body.written:
                answer = await self._open().request(
                    request.method,
                    url,
                    headers=headers,
                    data=body.data,
                    allow_redirects=False,
                    timeout=_timeout(request),
                )
        return httpx.Response(
            answer.status,
            headers=list(answer.raw_headers),
            stream=_Parts(answer, body),
            request=request,
            extensions={"http_version": b"HTTP/1.1"},
        )

    def _open(self) -> aiohttp.ClientSession:
        """Opened with the first request: it belongs to the loop that runs then."""
        if self._session is None:
            # The authorities that httpx trusts, whichever way a request goes.
            trusted = httpx.create_ssl_context(trust_env=False)
            self._session = aiohttp.ClientSession(
                connector=_Kept(
                    limit=self._connections,
                    keepalive_timeout=_IDLE_SECONDS,
                    ssl=trusted,
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                skip_auto_headers=_NOT_OURS,
                auto_decompress=False,
                request_class=_Request,
                trust_env=False,
                max_line_size=_LINE_MAX,
                max_field_size=_LINE_MAX,
                max_headers=_HEADERS_MAX,
            )
            # A PUT on a connection that breaks would be sent again; nobody knows whether it may be.
            self._session._retry_connection = False  # pyright: ignore[reportPrivateUsage]
        return self._session

    async def aclose(self) -> None:
        await self._exact.aclose()
        if self._session is not None:
            await self._session.close()


class _Body:
    """The body on its way out; each part must be taken within the time for writing."""

    def __init__(self, request: httpx.Request) -> None:
        self.broken: BaseException | None = None
        self.patience = said = _patience(request)
        self.data: Any = None
        limit: float | None = None
        if "content-length" in request.headers or "transfer-encoding" in request.headers:
            whole = _whole(request)
            if whole is not None and len(whole) <= _PART:
                self.data = whole
                limit = None if None in said.values() else sum(each or 0 for each in said.values())
            else:
                self.data = self._parts(request.stream if whole is None else _cut(whole))
        self.written = asyncio.timeout(limit)

    async def _parts(self, stream: Any) -> AsyncIterator[bytes]:
        try:
            async for part in stream:
                self._until(self.patience["write"])
                yield part
                self._until(None)
        except Exception as broken:
            self.broken = broken
            raise

    def _until(self, seconds: float | None) -> None:
        # An answer may come before its question was heard to the end: nobody counts from then on.
        if not self.written.expired():
            with contextlib.suppress(RuntimeError):
                loop = asyncio.get_running_loop()
                self.written.reschedule(None if seconds is None else loop.time() + seconds)


class _Parts(httpx.AsyncByteStream):
    """The body of an answer as it comes, still compressed."""

    def __init__(self, answer: aiohttp.ClientResponse, body: _Body) -> None:
        self._answer, self._body = answer, body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _said(self._body):
            while part := await self._next():
                yield part

    async def _next(self) -> bytes:
        # aiohttp counts for a connection: what it no longer fills would be waited for without end.
        async with asyncio.timeout(self._body.patience["read"]):
            return await self._answer.content.readany()

    async def aclose(self) -> None:
        """Ends the connection, unless all of the answer was read."""
        self._answer.close()


@contextlib.contextmanager
def _said(body: _Body) -> Generator[None]:
    """What went wrong, in httpx's words; what broke in the body itself as it was."""
    try:
        yield
    except (aiohttp.ClientError, ValueError, TimeoutError) as wrong:
        if body.broken is not None:
            raise body.broken from wrong
        kind = next(meant for theirs, meant in _MEANT if isinstance(wrong, theirs))
        if kind is httpx.ReadTimeout and body.written.expired():
            kind = httpx.WriteTimeout
        raise kind(type(wrong).__name__) from wrong


# The first that fits.
_MEANT: tuple[tuple[type[Exception], type[httpx.TransportError]], ...] = (
    (aiohttp.ConnectionTimeoutError, httpx.ConnectTimeout),
    (TimeoutError, httpx.ReadTimeout),
    (aiohttp.ClientConnectorError, httpx.ConnectError),
    (aiohttp.ClientOSError, httpx.ReadError),
    (Exception, httpx.RemoteProtocolError),
)


def _has_spoken(connection: Any) -> bool:
    """Also what has arrived and was not read yet; the end of the connection counts as well."""
    protocol = connection.protocol
    socket = protocol.transport.get_extra_info("socket")
    poll = select.poll()
    poll.register(socket.fileno(), select.POLLIN)
    return protocol.should_close or bool(poll.poll(0))


def _whole(request: httpx.Request) -> bytes | None:
    try:
        return request.content
    except httpx.RequestNotRead:
        return None


async def _cut(whole: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(whole), _PART):
        yield whole[start : start + _PART]


def _origin(url: httpx.URL) -> str:
    return f"{url.scheme}://{url.netloc.decode('ascii')}"


def _as_text(raw: list[tuple[bytes, bytes]]) -> list[tuple[str, str]] | None:
    """None for bytes that aiohttp, which writes UTF-8, would change; how a body goes is its own."""
    try:
        return [(k.decode(), v.decode()) for k, v in raw if k.lower() != b"transfer-encoding"]
    except UnicodeDecodeError:
        return None


def _patience(request: httpx.Request) -> dict[str, float | None]:
    return {**_PATIENCE, **request.extensions.get("timeout", {})}


def _timeout(request: httpx.Request) -> aiohttp.ClientTimeout:
    said = _patience(request)
    connect, pool = said["connect"], said["pool"]
    return aiohttp.ClientTimeout(
        total=None,
        connect=None if connect is None or pool is None else connect + pool,
        sock_connect=connect,
        sock_read=said["read"],
    )
