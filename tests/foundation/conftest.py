"""What the tests of events share."""

import sys
from pathlib import Path

import pytest

from polyclinic.foundation import outbox
from polyclinic.foundation.service import Service

# Tests are imported one by one, not as a package; what they share lies beside them.
sys.path.insert(0, str(Path(__file__).parent))
from outbox_pair import SPEAKER, Listener, Speaker


@pytest.fixture
async def pair(database_of):
    speaker = Speaker(await database_of(SPEAKER))
    await speaker.sequencer.begin_epoch()
    listener_service = Service("listener", "Listens.", "lean", (), (), mounts=(outbox.SCHEMA,))
    listener = Listener(await database_of(listener_service), speaker.wire)
    await listener.prepare()
    return speaker, listener
