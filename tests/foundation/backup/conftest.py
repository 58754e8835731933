"""What the tests of backups share: one clinic for a file, and what happened in it."""

import shutil
import sys
import tempfile
from pathlib import Path

import pytest

from polyclinic.foundation.vault import RootKey

# Tests are imported one by one, not as a package; what they share lies beside them.
sys.path.insert(0, str(Path(__file__).parent))
from backup_clinic import Clinic


@pytest.fixture(scope="module")
def room():
    folder = Path(tempfile.mkdtemp(prefix="polyclinic-backup-"))
    folder.chmod(0o711)  # the server's own user passes through
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
async def clinic(room):
    file = room / "keys" / "root.key"
    RootKey.create(file)
    clinic = Clinic(room, RootKey.read(file))
    await clinic.start()
    yield clinic
    await clinic.server.stop()


@pytest.fixture(scope="module")
async def history(clinic):
    """What happened, in order, and the moments that a restore may be asked for."""
    moments = {"before all": await clinic.moment()}
    erased = await clinic.seal("erased")
    await clinic.seal("first")
    moments["full"] = await clinic.provider.take(clinic.url, {}, incremental=False)
    await clinic.seal("second")
    moments["between"] = await clinic.moment()
    moments["incremental"] = await clinic.provider.take(clinic.url, {}, incremental=True)
    await clinic.seal("third")
    moments["after both"] = await clinic.moment()
    await clinic.run("DELETE FROM kept.data_key WHERE key_id = $1", erased)
    await clinic.archived()
    await clinic.seal("fourth")
    await clinic.archived()
    return moments
