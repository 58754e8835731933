"""The real billing service beside a portal of a test: a clinic, a payer, prices, and people."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "billing"))
import billing_setup as setup
import claims_world as world
import sample
from billing_door import BILL, TOM, clinician, open_door
from billing_door import Door as Billing
from portal_door import Door, Visitor

RUIZ = clinician("ruiz")
PERSON = {
    "family": "Keller",
    "given": "Maria",
    "birth_date": "1968-03-14",
    "sex": "female",
    "address": {
        "line": "12 Elm Street", "city": "Springfield", "state": "MA", "postal_code": "01103",
    },
}  # fmt: skip
CSV = "code,modifier,title,amount\nZ1001,,Visit of 15 minutes,150.00\nZ2002,,Blood test,50.50\n"


@asynccontextmanager
async def open_billing(postgres_url: str, key_file: Path) -> AsyncIterator[Billing]:
    async with open_door(postgres_url, key_file, **world.SETTINGS) as billing:
        await world.open_clinic(billing, prior_authorization=("Z7001",))
        await setup.prices(billing, CSV)
        body = {"last_name": "Ruiz", "first_name": "Ana", "npi": "1234567893"}
        answer = await billing.ask(BILL, "PUT", "/billing/providers/ruiz", body)
        assert answer.is_success, answer.text
        answer = await billing.ask(BILL, "PUT", f"/billing/people/{sample.MARIA}", PERSON)
        assert answer.is_success, answer.text
        await setup.coverage(billing, sample.MARIA, payer="nhp", member_id="M1234567")
        billing.tokens |= {
            "billing-token": BILL, "front-desk-token": TOM, "clinician-token": RUIZ,
        }  # fmt: skip
        yield billing


def beside(door: Door, billing: Billing) -> Door:
    """Makes billing part of the installation, which has records, where names come from."""
    door.running.peers.add_remote("records", "http://127.0.0.1:9")
    door.running.peers.add_local("billing", billing.app)
    return door


async def biller(door: Door) -> Visitor:
    return await door.as_("billing", BILL.person, subject=BILL.subject)


async def maria_came(billing: Billing, **changes: Any) -> str:
    """A visit of hers that waits to be coded."""
    return await setup.visit(billing, sample.MARIA, practitioner="Practitioner/ruiz", **changes)
