"""What identity gives each role by name opens billing's doors, and no more of them."""

import pytest
from billing_door import caller

from polyclinic.foundation.caller import Caller
from polyclinic.foundation.errors import Forbidden
from polyclinic.services.billing.domain import access
from polyclinic.services.identity.domain.scopes import BY_ROLE


def _signed_in(role: str) -> Caller:
    return caller(role, f"Practitioner/{role}", *BY_ROLE[role])


@pytest.mark.parametrize(
    ("kind", "interactions"),
    [
        ("Account", "ru"),
        ("ChargeItem", "cru"),
        ("ChargeItemDefinition", "crs"),
        ("Claim", "rsu"),
        ("Coverage", "crsu"),
        ("PaymentNotice", "cru"),
        ("PaymentReconciliation", "crs"),
        ("Patient", "r"),
    ],
)
def test_a_biller_who_signs_in_may_do_all_of_billings_work(kind: str, interactions: str):
    for each in interactions:
        access.check_scope(_signed_in("billing"), kind, each)


def test_the_desk_takes_money_and_sees_who_is_insured_but_reads_no_claim():
    desk = _signed_in("front-desk")
    access.check_desk(desk, "PaymentNotice", "c")
    access.check_scope(desk, "Coverage", "s")
    for kind in ("Claim", "ChargeItem", "PaymentReconciliation"):
        with pytest.raises(Forbidden):
            access.check_scope(desk, kind, "r")
