"""Who makes and lays out copies of the database; PostgreSQL's own tools are one way."""

from pathlib import Path
from typing import Protocol

from polyclinic.foundation.backup.catalog import Catalog, Taken
from polyclinic.foundation.backup.tools import Progress


class Provider(Protocol):
    """What `polyclinic backup`, `restore` and `drill` ask of a way to make copies."""

    @property
    def catalog(self) -> Catalog: ...

    async def take(
        self, url: str, note: dict[str, str], *, incremental: bool, progress: Progress
    ) -> Taken:
        """Copies the database at `url` while it works; `note` goes into the description."""
        ...

    async def verify(self, taken: Taken, progress: Progress) -> None:
        """Raises when a file of the copy, or of one that it builds on, is not as it was taken."""
        ...

    async def lay_out(self, taken: Taken, cluster: Path, progress: Progress) -> None:
        """Puts the copy's files where a server can recover from them; `cluster` is a new folder."""
        ...
