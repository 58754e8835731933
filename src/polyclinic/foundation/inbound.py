"""A body is read to its end before the answer goes out, so that an early refusal is heard.

A server that answers and closes while bytes still arrive resets the connection, and the answer (a
413, say) is lost on its way back: RFC 9112 section 9.6.
"""

from polyclinic.foundation.http import BODY_MAX, Message, Receive, Send

# Whoever sends even more than this after a refusal may lose it.
THROWN_AWAY_MAX = 2 * BODY_MAX


class Inbound:
    """The two ends of a request with a body."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive, self._send = receive, send
        self._ended = False

    async def receive(self) -> Message:
        message = await self._receive()
        self._ended = message["type"] != "http.request" or not message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        thrown_away = 0
        while not self._ended and thrown_away <= THROWN_AWAY_MAX:
            thrown_away += len((await self.receive()).get("body", b""))
        await self._send(message)
