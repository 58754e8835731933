"""Northside's money: two insurers, its fees, its patients' insurances, and visits to be billed."""

import asyncio
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import httpx

from polyclinic.demo import people
from polyclinic.demo.payer import read_rules
from polyclinic.demo.week import ZONE, visits
from polyclinic.foundation.errors import Problem

PAYER, OTHER = "northside-health-plan", "harbour-mutual"
CARD_KEY, CARD_SECRET = "sk_test_demo", "whsec_demo"

# The demo clinic's own codes (Z and four digits): nobody's copyright.
FEES = """code,modifier,title,amount
Z1001,,Visit of 15 minutes,125.00
Z1002,,Visit of 30 minutes,190.00
Z1003,,Video visit,75.00
Z1004,,First visit with a whole history,240.00
Z2001,,Blood drawn,18.00
Z2002,,Blood sugar over three months,32.50
Z2003,,Blood lipids,41.00
Z2004,,Electrocardiogram,68.00
Z2005,,Lung function,82.00
Z3001,,Vaccination given,35.00
Z3002,,Influenza vaccine,44.00
Z4001,,Dressing changed,52.00
Z9097,,Study of sleep at home,310.00
Z9098,,Second opinion by letter,150.00
Z9099,,Treatment with light,220.00
"""
ALLOWED = """code,modifier,title,amount
Z1001,,Visit of 15 minutes,110.00
Z1002,,Visit of 30 minutes,165.00
Z1003,,Video visit,60.00
Z1004,,First visit with a whole history,200.00
Z2001,,Blood drawn,14.40
Z2002,,Blood sugar over three months,26.00
Z2003,,Blood lipids,32.80
Z2004,,Electrocardiogram,54.40
"""
_CLINICIANS = (
    (people.ANA_RUIZ, "Ruiz", "Ana", "1467560003"),
    (people.LENA_WONG, "Wong", "Lena", "1366445009"),
    (people.SOFIE_MEYER, "Meyer", "Sofie", "1245319599"),
    (people.PRIYA_NAIR, "Nair", "Priya", "1902846306"),
)
# (which patient, clinician, days ago, diagnoses, codes, insured)
_VISITS: tuple[tuple[int, str, int, tuple[str, ...], tuple[str, ...], bool], ...] = (
    (0, people.PRIYA_NAIR, 34, ("E11.9", "I10"), ("Z1002", "Z2001", "Z2002", "Z2003"), True),
    (0, people.ANA_RUIZ, 12, ("I10",), ("Z1001", "Z2004"), True),
    (1, people.LENA_WONG, 20, ("J02.9",), ("Z1001",), True),
    (2, people.ANA_RUIZ, 16, ("M54.50",), ("Z1002", "Z9099"), True),
    (3, people.LENA_WONG, 9, ("Z23",), ("Z3001", "Z3002"), True),
    (4, people.ANA_RUIZ, 27, ("J45.909",), ("Z1003", "Z2005"), False),
    (5, people.LENA_WONG, 6, ("R05.9",), ("Z1001",), True),
)


# A look into the exchange folder every five seconds on our side, every second on the insurer's.
DECIDING_SECONDS = 60


class NotBilled(Problem):
    """The demo clinic's bills could not be made."""


def settings(folder: Path, url: str, cards_url: str) -> dict[str, str]:
    """Billing's settings at the demo clinic, as environment variables."""
    said = {
        "time_zone": ZONE,
        "clinic_name": "Northside Clinic",
        "clinic_address": "120 Harbour Street; Springfield; MA; 011031234",
        "clinic_telephone": "4135550100",
        "clinic_npi": "1234567893",
        "clinic_tax_id": "042345678",
        "exchange_folder": str(folder / "exchange"),
        "pay_url": url,
        "cards": "http",
        "cards_url": cards_url,
        "cards_key": CARD_KEY,
        "cards_webhook_secret": CARD_SECRET,
    }
    return {f"POLYCLINIC_BILLING_{name.upper()}": value for name, value in said.items()}


async def bill(client: httpx.AsyncClient, token: str, today: date) -> None:
    """Sets billing up and brings some visits in; what was begun before is not begun again."""
    asks = _Asks(client, token)
    if (await client.get("/billing/health/ready")).status_code != 200:
        return
    await _set_up(asks, today)
    for number, each in enumerate(_VISITS):
        await _visit(asks, number, each, today)
    await _estimate(asks, today)
    await _send_claims(asks)


async def _set_up(asks: "_Asks", today: date) -> None:
    rules = read_rules()
    line, city, state, code = rules.address
    address = {"line": line, "city": city, "state": state, "postal_code": code}
    payer = {"name": rules.name, "x12_id": rules.id, "address": address,
             "rules": {"timely_filing_days": 365, "member_id_pattern": "@@######"}}  # fmt: skip
    await asks.put(f"/billing/payers/{PAYER}", payer)
    other = {"name": "Harbour Mutual", "x12_id": "HARBOUR01", "electronic": False}
    await asks.put(f"/billing/payers/{OTHER}", other)
    for practitioner, last, first, npi in _CLINICIANS:
        body = {"last_name": last, "first_name": first, "npi": npi}
        await asks.put(f"/billing/providers/{practitioner.partition('/')[2]}", body)
    begins = date(today.year - 1, 1, 1).isoformat()
    for name, csv, owner in (("Northside's list", FEES, None), (rules.name, ALLOWED, PAYER)):
        schedule = {"name": name, "from_day": begins, "csv": csv, "currency": "USD", "payer": owner}
        await asks.post("/billing/fee-schedules", f"fees/{owner}/{begins}", schedule, known=(422,))


async def _visit(
    asks: "_Asks",
    number: int,
    each: tuple[int, str, int, tuple[str, ...], tuple[str, ...], bool],
    today: date,
) -> None:
    who, practitioner, days_ago, diagnoses, codes, is_insured = each
    patient = list(dict.fromkeys(visit.patient for visit in visits()))[who]
    day = (today - timedelta(days=days_ago)).isoformat()
    if is_insured:
        begins = date(today.year - 1, 1, 1).isoformat()
        cover = {
            "patient": patient, "payer": PAYER, "member_id": f"NH{who:06}", "copay": 2500,
            "coinsurance_bp": 1000, "from_day": begins,
        }  # fmt: skip
        listed = await asks.get("/billing/coverages", {"patient": patient})
        if not listed["coverages"]:
            await asks.post("/billing/coverages", f"coverage/{patient}", cover)
    body = {"patient": patient, "day": day, "practitioner": practitioner,
            "encounter": f"Encounter/demo-billing-{number}"}  # fmt: skip
    made = await asks.post("/billing/visits", f"visit/{number}/{day}", body)
    lines = [{"code": code, "pointers": [1]} for code in codes]
    coding = {"diagnoses": diagnoses, "lines": lines, "self_pay": not is_insured}
    path = f"/billing/visits/{made['visit']}/code"
    await asks.post(path, f"code/{number}/{day}", coding, known=(409,))


async def _estimate(asks: "_Asks", today: date) -> None:
    """Maria is told before what her next visit will cost her."""
    body = {
        "patient": people.MARIA_KELLER, "kind": "insured", "practitioner": people.PRIYA_NAIR,
        "for_day": (today + timedelta(days=9)).isoformat(), "diagnoses": ["E11.9"],
        "lines": [{"code": "Z1002"}, {"code": "Z2001"}, {"code": "Z2002"}],
    }  # fmt: skip
    await asks.post("/billing/estimates", f"estimate/{today}", body)


async def _send_claims(asks: "_Asks") -> None:
    """Checks what waits and sends what passes; the rest stays for the staff to look at."""
    ready: list[str] = []
    for claim in (await asks.get("/billing/claims", {"status": "draft"}))["claims"]:
        said = await asks.post(f"/billing/claims/{claim['id']}/check", f"check/{claim['id']}", {})
        if said["status"] == "checked":
            ready.append(claim["id"])
    if ready:
        key = f"send/{ready[0]}"
        await asks.post("/billing/submissions", key, {"claims": ready}, known=(409, 422))


async def bill_patients(client: httpx.AsyncClient, token: str) -> None:
    """Statements for those who owe something, once their insurance has decided."""
    asks = _Asks(client, token)
    for _ in range(DECIDING_SECONDS):
        sent = (await asks.get("/billing/claims", {"status": "submitted"}))["claims"]
        taken = (await asks.get("/billing/claims", {"status": "accepted"}))["claims"]
        if not sent and not taken:
            break
        await asyncio.sleep(1)
    for patient in dict.fromkeys(visit.patient for visit in visits()):
        key = f"statement/{patient}"
        await asks.post("/billing/statements", key, {"patient": patient}, known=(409, 422))


class _Asks:
    """Requests of the demo, each with a key of its own, so that a seed may be repeated."""

    def __init__(self, client: httpx.AsyncClient, token: str) -> None:
        self._client = client
        self._headers = {"authorization": f"Bearer {token}"}

    async def get(self, path: str, params: Mapping[str, str]) -> Any:
        answer = await self._client.get(path, params=dict(params), headers=self._headers)
        return self._read(path, answer, ())

    async def put(self, path: str, body: Any) -> Any:
        answer = await self._client.put(path, json=body, headers=self._headers)
        return self._read(path, answer, ())

    async def post(
        self, path: str, key: str, body: Any, *, known: tuple[int, ...] = ()
    ) -> dict[str, Any]:
        """`known` are refusals that only say that it was done before."""
        headers = self._headers | {"idempotency-key": f"demo/{key}"}
        answer = await self._client.post(path, json=body, headers=headers)
        return self._read(path, answer, known)

    @staticmethod
    def _read(path: str, answer: httpx.Response, known: tuple[int, ...]) -> dict[str, Any]:
        if not answer.is_success and answer.status_code not in known:
            # The data are synthetic and the reason is what somebody who starts the demo needs.
            raise NotBilled(f"{path} answered {answer.status_code}: {answer.text[:300]}")
        return answer.json()
