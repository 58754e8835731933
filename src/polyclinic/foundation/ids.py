"""New names for things: UUIDs of version 7, so that neighbours in time are neighbours on disk.

RFC 9562 section 5.7: 48 bits of Unix milliseconds, then randomness.
"""

import os
import time
import uuid


def new_uuid() -> uuid.UUID:
    milliseconds = time.time_ns() // 1_000_000
    bits = (milliseconds << 80) | int.from_bytes(os.urandom(10), "big")
    bits = (bits & ~(0xF << 76)) | (0x7 << 76)
    bits = (bits & ~(0x3 << 62)) | (0x2 << 62)
    return uuid.UUID(int=bits)


def new_id() -> str:
    return str(new_uuid())
