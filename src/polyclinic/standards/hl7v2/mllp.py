"""MLLP framing: VT payload FS CR. Bytes in, frames and faults out; no clock, no sockets."""

from dataclasses import dataclass

VT, FS, CR = b"\x0b", b"\x1c", b"\r"
FRAME_MAX = 20 << 20  # the usual limit of a payload
NOISE_MAX = 64 << 10  # bytes outside of frames that are passed over before a sender is given up
HEAD_KEPT = 8192  # of a payload that is too long: enough to say whose it was


@dataclass(frozen=True, slots=True)
class Frame:
    """A payload; `closed` is False where its FS was not followed by CR."""

    payload: bytes
    closed: bool = True


@dataclass(frozen=True, slots=True)
class Noise:
    """Bytes that make no frame, and why. After a fatal one the connection is of no use.

    `head` is the beginning of a payload that is too long, so that its sender can be answered.
    """

    text: str
    fatal: bool = False
    head: bytes = b""


def frame(payload: bytes) -> bytes:
    """The payload in its frame. ValueError where it would end the frame or begin another."""
    if FS in payload or VT in payload:
        raise ValueError("a payload must not hold the bytes of the frame")
    return b"".join((VT, payload, FS, CR))


class Unframer:
    """Finds frames in a stream, however it is cut; holds at most one frame and one piece.

    A frame ends at its FS. It is delivered when the CR or any other byte follows, or by `flush`
    when nothing does. A VT inside a frame begins it anew: what stood before is given up.
    """

    def __init__(self, frame_max: int = FRAME_MAX, noise_max: int = NOISE_MAX) -> None:
        self._max, self._noise_max = frame_max, noise_max
        self._held = bytearray()
        self._inside = False
        self._searched = 0  # bytes of `_held` that are known to hold neither VT nor FS
        self._payload: bytes | None = None  # whole; whether its CR follows is not known yet
        self._noise = 0
        self._dead = False

    @property
    def ended(self) -> bool:
        """A payload is whole but for its CR: `flush` delivers it when nothing more comes."""
        return self._payload is not None

    @property
    def inside(self) -> bool:
        """A frame has begun and not ended."""
        return self._inside

    @property
    def held(self) -> int:
        """Bytes in memory."""
        return len(self._held) + len(self._payload or b"")

    def feed(self, data: bytes) -> list[Frame | Noise]:
        """What these bytes made whole, in order."""
        found: list[Frame | Noise] = []
        self._held += data
        while self._held and not self._dead:
            if self._payload is not None:
                found += self._after_end()
            elif self._inside:
                step = self._in_frame()
                if step is None:
                    break
                found += step
            else:
                found += self._between()
        if self._dead:
            self._held.clear()
        return found

    def flush(self) -> list[Frame | Noise]:
        """The payload whose CR did not come."""
        return [] if self._payload is None else self._deliver(closed=False)

    def _between(self) -> list[Frame | Noise]:
        at = self._held.find(VT)
        noise = bytes(self._held if at < 0 else self._held[:at])
        del self._held[: at + 1 if at >= 0 else len(self._held)]
        self._inside, self._searched = at >= 0, 0
        self._noise += len(noise)
        if self._noise > self._noise_max:
            return self._given_up("Too many bytes stand outside of frames.")
        if noise.strip():
            return [Noise("Bytes stand outside of frames.")]
        return []

    def _in_frame(self) -> list[Frame | Noise] | None:
        end = self._held.find(FS, self._searched)
        stop = end if end >= 0 else len(self._held)
        again = self._held.rfind(VT, self._searched, stop)
        if again >= 0:
            del self._held[: again + 1]
            self._searched = 0
            return [Noise("A frame begins inside another, which was given up.")]
        if stop > self._max:
            head = bytes(self._held[:HEAD_KEPT])
            return self._given_up("The frame is longer than this channel takes.", head)
        if end < 0:
            self._searched = stop
            return None
        self._payload = bytes(self._held[:end])
        del self._held[: end + 1]
        self._inside = False
        return []

    def _after_end(self) -> list[Frame | Noise]:
        closed = self._held.startswith(CR)
        if closed:
            del self._held[:1]
        return self._deliver(closed=closed)

    def _deliver(self, *, closed: bool) -> list[Frame | Noise]:
        payload, self._payload, self._noise = self._payload, None, 0
        return [Frame(payload, closed)] if payload else [Noise("The frame is empty.")]

    def _given_up(self, text: str, head: bytes = b"") -> list[Frame | Noise]:
        self._dead = True
        return [Noise(text, fatal=True, head=head)]
