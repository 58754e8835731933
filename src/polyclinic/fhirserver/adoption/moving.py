"""What moves: whole resources, each version with its own number, time, method and bytes."""

from collections.abc import Iterable
from datetime import UTC, datetime
from hashlib import sha256

import msgspec

from polyclinic.fhirserver.store.rows import Document

_NOTHING = msgspec.Raw(b"null")


class MovedVersion(msgspec.Struct, frozen=True):
    """One version; the body of a deletion is null. `Raw` hands the bytes on as they are."""

    version: int
    at: datetime
    method: str
    body: msgspec.Raw = _NOTHING


class Moved(msgspec.Struct, frozen=True, omit_defaults=True):
    """A resource with all its versions, oldest first; `problem` says why it cannot move."""

    type: str
    id: str
    count: int
    digest: str = ""
    versions: list[MovedVersion] = []
    problem: str | None = None

    def documents(self) -> list[Document]:
        return [
            Document(self.type, self.id, each.version, each.at, _body(each.body), each.method)
            for each in self.versions
        ]


class Page(msgspec.Struct, frozen=True):
    """Resources of one type in the order in which they were made; `last` is where to go on."""

    resources: list[Moved]
    last: int


class Batch(msgspec.Struct, frozen=True):
    """The body of `POST /<service>/adopt`."""

    resources: list[Moved]


class Named(msgspec.Struct, frozen=True):
    """A resource by name, with how many of its versions are meant and their digest."""

    type: str
    id: str
    count: int
    digest: str = ""


class Names(msgspec.Struct, frozen=True):
    """The body of `POST /<service>/adopted` and `POST /records/let-go`."""

    resources: list[Named]


class Left(msgspec.Struct, frozen=True):
    """A resource that stays where it is, and why."""

    type: str
    id: str
    reason: str


class Adopted(msgspec.Struct, frozen=True):
    """What the owner says: how many are new, how many it had, what it did not take, and the
    digests of what it has now, computed from its own rows after the commit."""

    adopted: int
    already: int
    left: list[Left]
    digests: list[Named]


class LetGo(msgspec.Struct, frozen=True):
    """What the former keeper says: how many it let go or had let go before, and what it kept."""

    let_go: int
    gone: int
    kept: list[Left]


class Count(msgspec.Struct, frozen=True):
    """How much of a type could move, and to whom; without an owner it stays."""

    resources: int
    versions: int
    owner: str | None


class Counts(msgspec.Struct, frozen=True):
    """The answer of `GET /records/adoptable`."""

    types: dict[str, Count]


def moved(documents: list[Document], *, bodies: bool) -> Moved:
    """A resource as it travels; without bodies only its name and digest do."""
    first = documents[0]
    versions = [
        MovedVersion(
            each.version,
            each.updated,
            each.method,
            _NOTHING if each.body is None else msgspec.Raw(each.body),
        )
        for each in documents
    ]
    return Moved(
        first.type, first.id, len(documents), digest(documents), versions if bodies else []
    )


def digest(documents: Iterable[Document]) -> str:
    """Over everything of all versions that must arrive as it was."""
    found = sha256()
    for each in documents:
        body = each.body or b""
        at = each.updated.astimezone(UTC).isoformat(timespec="microseconds")
        head = f"{each.type}/{each.id}/{each.version} {each.method} {at} {len(body)}\n"
        found.update(head.encode())
        found.update(body)
    return found.hexdigest()


def _body(raw: msgspec.Raw) -> bytes | None:
    content = bytes(raw)
    return None if content == b"null" else content
