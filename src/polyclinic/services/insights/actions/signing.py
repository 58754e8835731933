"""A model counts as ours when its bytes carry our key's signature: plain data, hashed, signed."""

import hashlib
import hmac

from polyclinic.foundation.database import Row
from polyclinic.foundation.errors import Problem
from polyclinic.services.insights.actions.state import Engine
from polyclinic.services.insights.domain.life.states import Registered


class NotSigned(Problem):
    """The model is not the one that was registered: its bytes or its name were changed."""


def signed(engine: Engine, name: tuple[str, str, str], content: bytes) -> tuple[bytes, bytes]:
    """SHA-256 of the content, and the signature of it for this model, version and task."""
    digest = hashlib.sha256(content).digest()
    return digest, _signature(engine, name, digest)


def check(engine: Engine, row: Row, content: bytes) -> None:
    """Raises NotSigned where a byte differs, or where it was put under another name."""
    name = (row["model"], row["version"], row["task"])
    digest, signature = signed(engine, name, content)
    if digest != row["digest"] or not hmac.compare_digest(signature, row["signature"]):
        raise NotSigned(place=f"{row['model']}/{row['version']}")


def _signature(engine: Engine, name: tuple[str, str, str], digest: bytes) -> bytes:
    parts = [part.encode() for part in name]
    content = b"".join(len(part).to_bytes(4, "big") + part for part in parts) + digest
    return hmac.digest(engine.running.vault.secret("models"), content, "sha256")


def registered(row: Row) -> Registered:
    return Registered(
        model=row["model"],
        version=row["version"],
        task=row["task"],
        state=row["state"],
        digest=row["digest"].hex(),
        since=row["since"],
        expires=row["expires"],
        author=row["author"],
        fallback=row["fallback"],
        team=tuple(row["team"]),
        threshold=row["threshold"],
    )
