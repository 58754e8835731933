"""A data folder at work whose log is kept; nothing is installed in its database."""

import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from polyclinic.cli.datafolder import DataFolder
from polyclinic.foundation.postgres import EmbeddedPostgres

QUICK = {"fsync": "off", "shared_buffers": "32MB", "archive_timeout": "1"}


@asynccontextmanager
async def kept_clinic() -> AsyncIterator[DataFolder]:
    """Its backups are in `backups` beside it."""
    base = Path(tempfile.mkdtemp(prefix="polyclinic-kept-"))
    base.chmod(0o711)
    folder = DataFolder(base / "clinic")
    server = EmbeddedPostgres(folder.path, settings=QUICK, archive=base / "backups")
    try:
        await server.hold()
        folder.open_keys(is_new=True)
        await server.start()
        yield folder
    finally:
        await server.stop()
        shutil.rmtree(base, ignore_errors=True)
