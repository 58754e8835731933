"""What the clock does for billing."""

from pathlib import Path

from polyclinic.foundation import once, telemetry
from polyclinic.foundation.service import Job, Running
from polyclinic.services.billing.actions import (
    exchanging,
    publishing,
    reconciling,
    refunding,
    settling,
    stating,
)
from polyclinic.services.billing.actions.bookkeeping import prove
from polyclinic.services.billing.gateways.exchange import Address, Folder


async def prove_ledger(running: Running) -> None:
    """Adds the whole ledger up again; anything found is logged and counted."""
    proof = await prove(running.state)
    if not proof.holds:
        telemetry.log("ledger proof failed", count=proof.wrong_balances + proof.unbalanced)


async def exchange(running: Running) -> None:
    """Sends what is ready and takes in what has come, by each way that is set."""
    folder, url = running.settings.exchange_folder, running.settings.exchange_url
    if folder:
        await exchanging.exchange(running.state, Folder(Path(folder)))
    if url:
        await exchanging.exchange(running.state, Address(url))


async def publish(running: Running) -> None:
    """Tells records of claims and decisions."""
    await publishing.publish(running.state)


async def settle_cards(running: Running) -> None:
    """Payments and refunds whose end nobody told us: a lost answer, a lost webhook, a crash."""
    await settling.settle_open(running.state)
    await refunding.settle_open(running.state)


async def reconcile_cards(running: Running) -> None:
    """Compares the card gateway's own lists with the ledger; differences go to a queue."""
    await reconciling.reconcile(running.state)


async def bill_patients(running: Running) -> None:
    """Sends a bill to everybody who owes and had none lately."""
    await stating.issue_due(running.state)


async def sweep(running: Running) -> None:
    await once.sweep(running.database, running.settings.idempotency_hours)


async def count_terms(running: Running) -> None:
    """Counts index terms anew, so that searches choose their path well."""
    await running.state.server.search.frequencies.measure()


async def keep_log_months(running: Running) -> None:
    """Makes the access log's partitions of this month and the next."""
    await running.state.server.store.log.keep_months()


jobs = (
    Job("prove ledger", 24 * 3600, prove_ledger),
    Job("exchange files", 5, exchange),
    Job("publish documents", 5, publish),
    Job("settle cards", 30, settle_cards),
    Job("reconcile cards", 24 * 3600, reconcile_cards),
    Job("bill patients", 24 * 3600, bill_patients),
    Job("sweep", 600, sweep),
    Job("count terms", 120, count_terms),
    Job("keep log months", 6 * 3600, keep_log_months),
)
