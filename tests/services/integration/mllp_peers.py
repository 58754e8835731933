"""What speaks MLLP in tests: a receiver's answers that are known, certificates, a raw sender."""

import asyncio
import datetime
import ssl
import time
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from polyclinic.services.integration.listeners.mllp import Limits, Server
from polyclinic.standards.hl7v2.mllp import Unframer


@dataclass
class Echo:
    """Answers each payload with `ok:` and itself, and remembers what it was told."""

    asked: list[bytes] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    sources: list = field(default_factory=list)
    gate: asyncio.Event | None = None
    at_once: int = 0
    most_at_once: int = 0
    say = None

    async def admit(self, source):
        self.sources.append(source)
        return source

    async def answer(self, payload, source):
        self.asked.append(payload)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            if self.gate is not None:
                await self.gate.wait()
            return self.say(payload) if self.say else b"ok:" + payload[:100]
        finally:
            self.at_once -= 1

    async def refuse(self, head):
        return b"too long:" + head[:10]

    def notice(self, what, source):
        self.notices.append(what)


@asynccontextmanager
async def listening(answers, tls=None, **limits):
    server = Server(answers, Limits(**limits))
    await server.open("127.0.0.1", 0, tls)
    try:
        yield server
    finally:
        await server.close()
        for peer in _opened:
            await peer.close()
        _opened.clear()


_opened = []


class Peer:
    """A sender that may misbehave in any way."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer
        self.unframer = Unframer()
        self.answers = []
        _opened.append(self)

    @classmethod
    async def to(cls, server, tls=None):
        return cls(*await asyncio.open_connection("127.0.0.1", server.port, ssl=tls))

    async def send(self, data):
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self, seconds=30):
        """The next acknowledgement; None when the connection is closed instead."""
        async with asyncio.timeout(seconds):
            while not self.answers:
                try:
                    piece = await self.reader.read(65536)
                except OSError:
                    return None
                if not piece:
                    return None
                self.answers += [each.payload for each in self.unframer.feed(piece)]
        return self.answers.pop(0)

    async def close(self):
        self.writer.transport.abort()
        with suppress(OSError):
            await self.writer.wait_closed()


async def until(true, seconds=30):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        await asyncio.sleep(0.01)


@dataclass
class Authority:
    """A certificate authority of a test, in a folder."""

    folder: object
    key: object = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    def __post_init__(self):
        self.certificate = self._sign("Test Authority", self.key.public_key(), authority=True)
        self.file = self._write("ca.pem", self.certificate)

    def issue(self, name, *alternatives):
        """The paths of a certificate and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        signed = self._sign(name, key.public_key(), alternatives=alternatives)
        private = self.folder / f"{name}.key"
        private.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )  # fmt: skip
        return str(self._write(f"{name}.pem", signed)), str(private)

    def client(self, *certificate):
        """A context of a sender that trusts this authority, with a certificate or without."""
        context = ssl.create_default_context(cafile=str(self.file))
        context.check_hostname = False
        if certificate:
            context.load_cert_chain(*certificate)
        return context

    def _write(self, name, certificate):
        path = self.folder / name
        path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        return path

    def _sign(self, name, public_key, *, authority=False, alternatives=()):
        now = datetime.datetime.now(datetime.UTC)
        issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test Authority")])
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(issuer)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.BasicConstraints(authority, None), critical=True)
        )
        if alternatives:
            names = x509.SubjectAlternativeName([x509.DNSName(each) for each in alternatives])
            builder = builder.add_extension(names, critical=False)
        return builder.sign(self.key, hashes.SHA256())
