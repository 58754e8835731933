"""MLLP connections that stay open between messages, one to each listener, plain or by TLS."""

import ssl
from functools import partial

from polyclinic.services.integration.gateways.mllp import Address, Client, Patience
from polyclinic.services.integration.gateways.outward import Outward

# Shorter than a delivery is ours.
PATIENCE = Patience(connect=5.0, write=10.0, answer=20.0)


def client_context(authority: str, certificate: str, key: str) -> ssl.SSLContext:
    """TLS 1.2 or newer, of files. Without an authority the system's are trusted; our certificate
    is shown to listeners that ask for one. Raises OSError for what cannot be read.
    """
    context = ssl.create_default_context(cafile=authority or None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if certificate:
        context.load_cert_chain(certificate, key)
    return context


def url_of(host: str, port: int, *, tls: bool) -> str:
    """A listener as the allow-list names it."""
    return f"{'https' if tls else 'http'}://{f'[{host}]' if ':' in host else host}:{port}"


class Lines:
    """Where a line is opened, its address is checked as that of a webhook is."""

    def __init__(self, outward: Outward, trusted: ssl.SSLContext) -> None:
        self._outward, self._trusted = outward, trusted
        self._clients: dict[str, Client] = {}

    def to(self, host: str, port: int, *, tls: bool) -> Client:
        url = url_of(host, port, tls=tls)
        if url not in self._clients:
            address = Address(host, port, self._trusted if tls else None)
            self._clients[url] = Client(address, PATIENCE, partial(self._outward.pin, url))
        return self._clients[url]

    async def aclose(self) -> None:
        for client in self._clients.values():
            await client.close()
