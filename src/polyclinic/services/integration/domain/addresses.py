"""Which addresses we may call: our own strict reading of a URL, and which IP addresses are public.

What a lenient reader would guess at (decimal or octal hosts, user names, zones, stray control
characters) is refused, so that the check and the connection can never mean different hosts.
"""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from polyclinic.foundation.errors import Invalid

URL_MAX = 2048
PORTS = (443, 8443)
_DEFAULT = {"https": 443, "http": 80}
IP = IPv4Address | IPv6Address

_URL = re.compile(r"(https?)://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::([1-9][0-9]{0,4}))?", re.A)
_TARGET = re.compile(r"(?:/[!$-;=?-Z_a-z~]*)?", re.A)
_NAME = re.compile(r"(?=.{1,253}\Z)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?\.)*[a-z0-9-]{1,63}")
_NUMBER = re.compile(r"(?:0x[0-9a-f]*|[0-9]+)\Z")

# Global by the registry's letter, yet they lead into somebody's house: the address of one machine
# wrapped in another, and the metadata service of a cloud.
_WRAPPED = tuple(
    IPv6Network(net)
    for net in ("::/96", "64:ff9b::/96", "64:ff9b:1::/48", "2001::/23", "2002::/16")
)
_UNICAST = IPv6Network("2000::/3")
_CLOSED = tuple(
    IPv4Network(net) for net in ("192.0.0.0/24", "192.88.99.0/24", "168.63.129.16/32")
)  # fmt: skip


class NotCallable(Invalid):
    """This address may not be called from here."""


@dataclass(frozen=True, slots=True)
class Address:
    """A URL taken apart: `host` in lower case, without brackets; `target` is path and query."""

    scheme: str
    host: str
    port: int
    target: str

    @property
    def origin(self) -> str:
        """As it stands in the allow-list: always with the port."""
        return f"{self.scheme}://{self._bracketed}:{self.port}"

    @property
    def authority(self) -> str:
        """The Host header."""
        default = self.port == _DEFAULT[self.scheme]
        return self._bracketed if default else f"{self._bracketed}:{self.port}"

    @property
    def literal(self) -> IP | None:
        """The IP address that is written in the URL, if one is."""
        try:
            return ip_address(self.host)
        except ValueError:
            return None

    @property
    def _bracketed(self) -> str:
        return f"[{self.host}]" if ":" in self.host else self.host


def read(url: str) -> Address:
    """The parts of a URL; raises NotCallable for whatever could be read in two ways."""
    match = _URL.match(url) if len(url) <= URL_MAX else None
    if match is None or not _TARGET.fullmatch(url, match.end()):
        raise NotCallable("That is no plain http or https address.", place="url")
    scheme, host, port = match[1], match[2].lower().strip("[]"), match[3]
    address = Address(scheme, host, int(port or _DEFAULT[scheme]), url[match.end() :] or "/")
    if address.port > 65535:
        raise NotCallable("There is no such port.", place="url")
    is_literal = address.literal is not None
    if match[2].startswith("[") and not (is_literal and ":" in host):
        raise NotCallable("That is no IPv6 address.", place="url")
    if not is_literal and (not _NAME.fullmatch(host) or _NUMBER.match(host.rpartition(".")[2])):
        raise NotCallable("That is no host name.", place="url")
    return address


def check(address: Address, allowed: frozenset[str]) -> bool:
    """Whether it is one of ours (allow-listed); raises NotCallable unless public ones may be."""
    if address.origin in allowed:
        return True
    if address.scheme != "https":
        raise NotCallable("Only https is called, or what the settings allow.", place="url")
    if address.port not in PORTS:
        raise NotCallable("Only the ports 443 and 8443 are called.", place="url")
    if address.literal is not None and not is_public(address.literal):
        raise NotCallable("That address is not public.", place="url")
    if address.literal is None and "." not in address.host:
        raise NotCallable("That name is known in a house only.", place="url")
    return False


def check_resolved(addresses: list[IP], *, is_ours: bool) -> IP:
    """The address to connect to; raises NotCallable when any that the name has is closed to us."""
    may = is_house if is_ours else is_public
    if not addresses or not all(may(each) for each in addresses):
        raise NotCallable("The name leads to an address that is not public.", place="url")
    return addresses[0]


def is_public(address: IP) -> bool:
    """Whether it is a machine of the internet, whatever it is wrapped in."""
    if isinstance(address, IPv6Address):
        if address.scope_id is not None or address not in _UNICAST:
            return False  # of a zone, or mapped, link-local, unique-local, multicast …
        return address.is_global and not any(address in net for net in _WRAPPED)
    closed = address.is_multicast or address.is_reserved or any(address in n for n in _CLOSED)
    return address.is_global and not closed


def is_house(address: IP) -> bool:
    """What an allow-listed name may lead to: also this machine and private networks.

    Never a link-local address: the metadata services of clouds are there.
    """
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return False
    return address.is_loopback or is_public(address) or _is_private(address)


def _is_private(address: IP) -> bool:
    closed = address.is_link_local or address.is_multicast or address.is_unspecified
    return address.is_private and not closed and not address.is_reserved


def origins(text: str) -> frozenset[str]:
    """The allow-list of the settings: `http://127.0.0.1:9000, https://lab.example:8444`."""
    return frozenset(read(each.strip()).origin for each in text.split(",") if each.strip())
