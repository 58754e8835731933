"""What the doctor sees from outside: as a stranger at the door, who has no token."""

import asyncio
import ipaddress
import socket
import ssl
import time
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from polyclinic.cli.doctor_inside import BAD, LOOK, OK, Finding

SECONDS = 10
CERTIFICATE_DAYS = 14
# What a browser must be told with each page; the last one only where there is TLS.
HEADERS = ("content-security-policy", "x-content-type-options", "referrer-policy")
DATABASE_PORT = 5432
LISTENS = "0A"  # a socket's state in /proc/net/tcp


async def look_outside(url: str, names: tuple[str, ...]) -> AsyncIterator[Finding]:
    """Every check of a platform's address; a door that does not answer ends it."""
    async with httpx.AsyncClient(base_url=url, timeout=SECONDS, trust_env=False) as door:
        try:
            page = await door.get("/", headers={"accept": "text/html"}, follow_redirects=True)
        except httpx.TransportError as lost:
            word = f"{url} does not answer ({type(lost).__name__})"
            yield Finding("door", BAD, word, "see docs/runbooks/service-down.md")
            return
        yield Finding("door", OK, f"{url} answers {page.status_code}")
        for name in names:
            yield await health(door, name)
        yield headers(page, is_safe=urlsplit(url).scheme == "https")
        yield await closed(door)
        yield await hidden(door, is_local=is_local(url))
    yield await tls(url)
    yield ports(urlsplit(url).port)


async def health(door: httpx.AsyncClient, name: str) -> Finding:
    try:
        answer = await door.get(f"/{name}/health/ready")
    except httpx.TransportError as lost:
        return Finding(name, BAD, f"no answer ({type(lost).__name__})", "service-down.md")
    if answer.status_code == 200:
        return Finding(name, OK, "ready")
    word = f"answers {answer.status_code}"
    return Finding(name, BAD, word, "see docs/runbooks/service-down.md")


def headers(page: httpx.Response, *, is_safe: bool) -> Finding:
    wanted = (*HEADERS, *(("strict-transport-security",) if is_safe else ()))
    missing = [name for name in wanted if name not in page.headers]
    if missing:
        then = "what stands in front of the platform drops them, or must add the last one"
        return Finding("headers", BAD, f"missing: {', '.join(missing)}", then)
    return Finding("headers", OK, ", ".join(wanted))


async def closed(door: httpx.AsyncClient) -> Finding:
    """Without a token nobody reads."""
    answer = await door.get("/fhir/Patient?_count=1")
    if answer.status_code == 200:
        return Finding("records", BAD, "patients are read without a token", "close the door now")
    return Finding("no token", OK, f"/fhir/Patient answers {answer.status_code}")


async def hidden(door: httpx.AsyncClient, *, is_local: bool) -> Finding:
    """The operator's door and the numbers are for the house (decisions/0008)."""
    if is_local:
        return Finding("house doors", OK, "on this machine's own address only")
    operator = await door.post("/identity/operator/token", json={})
    numbers = await door.get("/metrics")
    found = ["/identity/operator"] if operator.status_code not in (403, 404) else []
    found += ["/metrics"] if numbers.status_code == 200 else []
    if found:
        then = "let what stands in front refuse them"
        return Finding("house doors", LOOK, f"the world reaches {' and '.join(found)}", then)
    return Finding("house doors", OK, "the world reaches neither the operator's nor the numbers")


async def tls(url: str) -> Finding:
    parts = urlsplit(url)
    if parts.scheme != "https":
        if is_local(url):
            return Finding("TLS", LOOK, "none; only this machine comes in", "put TLS in front")
        then = "put TLS in front at once: passwords and charts travel readable"
        return Finding("TLS", BAD, "none, on an address of the network", then)
    return await asyncio.to_thread(_handshake, parts.hostname or "", parts.port or 443)


def _handshake(host: str, port: int) -> Finding:
    try:
        with (
            socket.create_connection((host, port), SECONDS) as plain,
            ssl.create_default_context().wrap_socket(plain, server_hostname=host) as safe,
        ):
            spoken, certificate = safe.version(), safe.getpeercert() or {}
    except (OSError, ssl.SSLError) as refused:
        why = getattr(refused, "verify_message", None) or type(refused).__name__
        return Finding("TLS", BAD, f"not trusted: {why}", "renew or complete the certificate")
    until = ssl.cert_time_to_seconds(str(certificate.get("notAfter", "")))
    days = (until - time.time()) / 86400
    if days < CERTIFICATE_DAYS:
        return Finding("TLS", LOOK, f"the certificate ends in {days:.0f} days", "renew it")
    return Finding("TLS", OK, f"{spoken}, certificate for {days:.0f} more days")


def ports(own: int | None) -> Finding:
    """Whether the platform's port or a PostgreSQL listens to the whole network."""
    open_to_all = sorted(_listening_to_all() & {DATABASE_PORT, *([own] if own else [])})
    if open_to_all:
        shown = ", ".join(map(str, open_to_all))
        then = "listen on 127.0.0.1, and let only the front proxy face the world"
        return Finding("ports", LOOK, f"open on every address: {shown}", then)
    return Finding("ports", OK, "neither PostgreSQL nor the platform listens to the whole network")


def _listening_to_all() -> set[int]:
    """Ports that any address of this machine takes; empty where the system does not tell."""
    found: set[int] = set()
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        if not table.exists():
            continue
        for line in table.read_text().splitlines()[1:]:
            words = line.split()
            address, _, port = words[1].partition(":")
            if words[3] == LISTENS and set(address) == {"0"}:
                found.add(int(port, 16))
    return found


def is_local(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
