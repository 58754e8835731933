"""Adding: new resources in somebody else's transaction, under ids that nobody has used before.

What stands nowhere need not be looked for and locked; if it does stand there after all, the unique
key of the table refuses it.
"""

from collections.abc import Sequence

from polyclinic.fhirserver.store import write as writing
from polyclinic.fhirserver.store.draft import Draft
from polyclinic.fhirserver.store.store import Store, refusal
from polyclinic.foundation import clock
from polyclinic.foundation.database import Transaction


async def add(store: Store, tx: Transaction, drafts: Sequence[Draft]) -> None:
    """Keeps all of them, or raises the first refusal, which must undo the transaction."""
    for draft in drafts:
        store.drafting.index(draft)
    await store.drafting.keys(drafts)
    pids, now = await store.pids.take(len(drafts)), clock.now()
    changes = [
        store.drafting.change(draft, pid, 1, now)[0]
        for draft, pid in zip(drafts, pids, strict=True)
    ]
    verdicts = await writing.write(tx, changes)
    for change, verdict in zip(changes, verdicts, strict=True):
        if (problem := refusal(change, verdict)) is not None:
            raise problem
