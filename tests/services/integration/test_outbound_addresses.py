"""Nobody's URL makes us call our own house; what is called is the address that was checked."""

import asyncio
import datetime
import ssl
from contextlib import asynccontextmanager
from ipaddress import ip_address
from typing import ClassVar

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from polyclinic.services.integration.domain import addresses
from polyclinic.services.integration.domain.addresses import NotCallable
from polyclinic.services.integration.gateways import outward
from polyclinic.services.integration.gateways.outward import Outward, Unreachable

TRICKS = [
    # not https, not a URL, another way to write one
    "http://hooks.example/x", "ftp://hooks.example/", "file:///etc/passwd",
    "gopher://127.0.0.1:11211/",
    "//hooks.example/", "https:/hooks.example/", "https:hooks.example", "https://", "https:///x",
    "",
    "HTTPS://hooks.example/", " https://hooks.example/", "https://hooks.example/ x", "javascript:0",
    # user names, fragments, backslashes: two readers, two hosts
    "https://hooks.example@127.0.0.1/", "https://127.0.0.1#@hooks.example/",
    "https://hooks.example:443@127.0.0.1/", "https://hooks.example\\@127.0.0.1/",
    "https://127.0.0.1\\.hooks.example/", "https://hooks.example/#x", "https://hooks.example?x@y/",
    # loopback and its spellings
    "https://localhost/", "https://127.0.0.1/", "https://127.1/", "https://2130706433/",
    "https://0x7f000001/", "https://0x7f.0.0.1/", "https://017700000001/", "https://0177.0.0.1/",
    "https://127.0.0.1./", "https://localhost./", "https://hooks.example./", "https://0/",
    "https://0.0.0.0/", "https://[::1]/", "https://[::]/", "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/", "https://[::127.0.0.1]/", "https://[0:0:0:0:0:ffff:127.0.0.1]/",
    # private, shared, link-local, metadata, multicast, reserved
    "https://10.0.0.1/", "https://172.16.0.1/", "https://192.168.1.1/", "https://100.64.0.1/",
    "https://169.254.169.254/latest/meta-data/", "https://100.100.100.200/", "https://192.0.0.192/",
    "https://168.63.129.16/", "https://224.0.0.1/", "https://240.0.0.1/", "https://255.255.255.255/",
    "https://198.18.0.1/", "https://192.0.2.1/", "https://192.88.99.1/", "https://[fe80::1]/",
    "https://[fe80::1%25eth0]/", "https://[fe80::1%eth0]/", "https://[fc00::1]/", "https://[fd00:ec2::254]/",
    "https://[fec0::1]/", "https://[ff02::1]/", "https://[2001:db8::1]/",
    # one address wrapped in another: 6to4, NAT64, Teredo
    "https://[2002:7f00:1::]/", "https://[64:ff9b::7f00:1]/", "https://[64:ff9b:1::7f00:1]/",
    "https://[2001:0:7f00:1::]/", "https://[2001::1]/",
    # names: IDN and its look-alikes, escapes, dots that are none, one label, too long
    "https://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ/", "https://１２７.0.0.1/", "https://127。0。0。1/", "https://höoks.example/",
    "https://%6c%6f%63%61%6c%68%6f%73%74/", "https://hooks%2eexample/", "https://intranet/",
    "https://hooks..example/", "https://.hooks.example/", "https://-hooks.example/",
    f"https://{'a' * 64}.example/", f"https://{'a.' * 127}example/",
    f"https://h.example/{'x' * 2048}",
    # ports and lines
    "https://hooks.example:22/", "https://hooks.example:80/", "https://hooks.example:0443/",
    "https://hooks.example:99999/", "https://hooks.example:-1/", "https://hooks.example:/",
    "https://hooks.example/\r\nHost: 127.0.0.1", "https://hooks.example\r\n/", "https://hooks.example\t/",
    "https://hooks.example/\x00", "https://[::1]:443x/", "https://[hooks.example]/", "https://[1.2.3.4]/",
]  # fmt: skip


class Spy:
    """Stands where httpx would open a connection, and notes what it was told to open."""

    seen: ClassVar[list[httpx.Request]] = []

    def __init__(self, **settings):
        assert settings["trust_env"] is False

    async def handle_async_request(self, request):
        Spy.seen.append(request)
        return httpx.Response(
            302, headers={"location": "https://127.0.0.1/"}, stream=httpx.ByteStream(b"go")
        )

    async def aclose(self):
        pass


@pytest.fixture
def spy(monkeypatch):
    Spy.seen = []
    monkeypatch.setattr(outward.httpx, "AsyncHTTPTransport", Spy)
    return Spy


@pytest.mark.parametrize("url", TRICKS, ids=range(len(TRICKS)))
async def test_no_trick_gets_past_the_check(spy, url):
    async def any_public(host, port):
        return [ip_address("93.184.216.34")]

    with pytest.raises(NotCallable):
        await Outward(frozenset(), any_public).post(url, {}, b"")
    assert not spy.seen


def test_there_are_more_than_forty_tricks():
    assert len(set(TRICKS)) == len(TRICKS) >= 40


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example/", "https://hooks.example:8443/a?b=c%20d", "https://xn--hks-sna.example",
        "https://93.184.216.34/", "https://[2606:2800:220:1:248:1893:25c8:1946]/in",
    ],
)  # fmt: skip
def test_a_plain_public_address_is_callable(url):
    address = addresses.read(url)
    assert addresses.check(address, frozenset()) is False


def names(*answers):
    """A resolver that answers differently each time it is asked."""
    left = [[ip_address(text) for text in each] for each in answers]

    async def resolve(host, port):
        return left.pop(0)

    return resolve


async def test_the_connection_goes_to_the_checked_address_under_the_name_that_was_asked(spy):
    answered = await Outward(frozenset(), names(["93.184.216.34"])).post(
        "https://Hooks.Example:8443/a/b?c=%0d", {"x-one": "1"}, b"body"
    )
    [request] = spy.seen
    assert (request.url.host, request.url.port) == ("93.184.216.34", 8443)
    assert request.url.raw_path == b"/a/b?c=%0d"
    assert request.headers["host"] == "hooks.example:8443"
    assert request.extensions["sni_hostname"] == "hooks.example"
    assert answered.status == 302, "a redirect is an answer, not a way"
    assert len(spy.seen) == 1


async def test_a_name_that_changes_its_address_is_checked_at_every_attempt(spy):
    out = Outward(
        frozenset(), names(["93.184.216.34"], ["127.0.0.1"], ["93.184.216.34", "10.0.0.1"])
    )
    await out.post("https://hooks.example/", {}, b"")
    for _ in range(2):
        with pytest.raises(NotCallable):
            await out.post("https://hooks.example/", {}, b"")
    assert len(spy.seen) == 1


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "fe80::1",
        "::ffff:169.254.169.254",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
    ],
)
async def test_not_even_an_allowed_name_leads_to_metadata(spy, address):
    out = Outward(frozenset({"http://lab.local:9000"}), names([address]))
    with pytest.raises(NotCallable):
        await out.post("http://lab.local:9000/", {}, b"")
    assert not spy.seen


async def test_an_allowed_destination_is_that_scheme_and_port_alone(spy):
    out = Outward(addresses.origins("http://10.1.2.3:9000"))
    await out.post("http://10.1.2.3:9000/", {}, b"")
    for url in ("http://10.1.2.3/", "https://10.1.2.3:9000/", "http://10.1.2.4:9000/"):
        with pytest.raises(NotCallable):
            await out.post(url, {}, b"")


async def test_a_header_begins_no_other_line(spy):
    with pytest.raises(NotCallable):
        await Outward(frozenset(), names(["93.184.216.34"])).post(
            "https://hooks.example/", {"x": "a\r\nhost: 127.0.0.1"}, b""
        )
    assert not spy.seen


async def test_a_name_that_nobody_knows_is_an_attempt_that_failed():
    async def unknown(host, port):
        raise OSError("no such name")

    with pytest.raises(Unreachable):
        await Outward(frozenset(), unknown).post("https://hooks.example/", {}, b"")


@pytest.fixture
def certificate(tmp_path):
    """A server's certificate for hooks.test, and a client that trusts it alone."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hooks.test")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("hooks.test")]), critical=False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    pem = made.public_bytes(serialization.Encoding.PEM)
    file = tmp_path / "server.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + pem
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(file)
    return server, ssl.create_default_context(cadata=pem.decode())


@asynccontextmanager
async def serving(answer: bytes, tls=None):
    """A receiver on the loopback; yields its port and what it was sent."""
    heard: list[bytes] = []

    async def serve(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        heard.append(head)
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    async with server:
        yield server.sockets[0].getsockname()[1], heard


async def test_tls_is_checked_for_the_name_though_the_address_is_called(certificate):
    server, trusted = certificate
    async with serving(b"HTTP/1.1 204 No Content\r\n\r\n", server) as (port, heard):
        allowed = frozenset({f"https://{name}:{port}" for name in ("hooks.test", "other.test")})
        out = Outward(allowed, names(["127.0.0.1"], ["127.0.0.1"]), trusted)
        answered = await out.post(f"https://hooks.test:{port}/in", {}, b"{}")
        assert answered.status == 204
        assert f"host: hooks.test:{port}".encode() in heard[0].lower()
        with pytest.raises(Unreachable):
            await out.post(f"https://other.test:{port}/in", {}, b"{}")


async def test_of_a_long_answer_no_more_than_64_kb_are_read():
    async with serving(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 300_000) as (port, _):
        url = f"http://127.0.0.1:{port}"
        answered = await Outward(frozenset({url})).post(url, {}, b"")
        assert len(answered.body) == outward.ANSWER_MAX


async def test_a_packed_answer_is_not_unpacked():
    bomb = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\nzzzz"
    async with serving(bomb) as (port, _):
        url = f"http://127.0.0.1:{port}"
        assert (await Outward(frozenset({url})).post(url, {}, b"")).body == b"zzzz"


async def test_who_never_answers_is_given_up(monkeypatch):
    monkeypatch.setattr(outward, "SECONDS", 0.2)

    async def silent(reader, writer):
        await asyncio.sleep(2)
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        with pytest.raises(Unreachable):
            await Outward(frozenset({url})).post(url, {}, b"")
