"""Which channel a message belongs to that came by a line which several senders may use."""

from collections.abc import Iterable, Sequence
from ipaddress import ip_address, ip_network

from polyclinic.services.integration.domain.channels import Channel


def proven(channels: Iterable[Channel], names: Sequence[str]) -> str | None:
    """The name that counts among those of a certificate.

    It is the first that a channel asks for; an empty text where only channels are open to it that
    ask for nobody; None where no channel is open to it at all.
    """
    asked = {name for channel in channels for name in channel.clients}
    named = next((name for name in names if name in asked), None)
    if named is not None:
        return named
    return "" if any(not channel.clients for channel in channels) else None


def chosen(channels: Iterable[Channel], name: str, sender: tuple[str, str]) -> Channel | None:
    """The channel that asks for this client and this sender; who asks more precisely wins.

    Where none knows the sender it is one of the client's channels, which will say so.
    """
    open_to = [channel for channel in channels if not channel.clients or name in channel.clients]
    return max(open_to, key=lambda each: _fit(each, sender), default=None)


def _fit(channel: Channel, sender: tuple[str, str]) -> tuple[bool, bool, int]:
    said = [
        bool(each.application) + bool(each.facility)
        for each in channel.senders
        if each.application in ("", sender[0]) and each.facility in ("", sender[1])
    ]
    return bool(said) or not channel.senders, bool(channel.clients), max(said, default=0)


def is_within(address: str, networks: str) -> bool:
    """Whether an address lies in one of some networks, with commas between them."""
    try:
        it = ip_address(address)
    except ValueError:
        return False
    parsed = (ip_network(each.strip()) for each in networks.split(",") if each.strip())
    return any(it in network for network in parsed if network.version == it.version)
