"""A clinic that kept bills and appointments as documents, and what anybody could see of them."""

import json
import re
from contextlib import asynccontextmanager

import httpx
from test_subsets import BASE, Subset

from polyclinic.assembly.process import assemble
from polyclinic.foundation.settings import Platform
from polyclinic.standards.fhir import codec

FHIR = {"content-type": "application/fhir+json"}
BEFORE = ("identity", "records")
HCPCS = "urn:test:codes"
BILLS = ("Account", "ChargeItem", "Invoice", "PaymentNotice", "ChargeItemDefinition")


class House:
    """One database on which services start and stop; `now` speaks to whatever runs."""

    def __init__(self, url, key_file, root_key):
        self._platform = Platform(database_url=url, key_file=str(key_file), public_url=BASE)
        self._root = root_key
        self.url = url

    @asynccontextmanager
    async def with_services(self, *names):
        async with assemble(self._platform, names, {}) as process:
            now = Now(process, self._root)
            now.headers = await now.token()
            yield now


class Now(Subset):
    """The clinic as it runs at the moment."""

    def __init__(self, process, root_key):
        super().__init__(process, root_key)
        self.process, self.root = process, root_key
        self.transport = httpx.ASGITransport(app=process.edge, client=("127.0.0.1", 5000))

    async def send(self, method, path, value=None):
        # A decimal's last zero means something in FHIR, and must not be lost on the way.
        content = None if value is None else json.dumps(value).replace(": 1.5}", ": 1.50}")
        headers = {**self.headers, **FHIR}
        return await self.client.request(method, path, headers=headers, content=content)

    async def put(self, value):
        path = f"/fhir/{value['resourceType']}/{value['id']}"
        answer = await self.send("PUT", path, value)
        assert answer.status_code in (200, 201), answer.text
        return answer.json()

    async def delete(self, place):
        assert (await self.send("DELETE", f"/fhir/{place}")).status_code == 204

    async def ask(self, method, path, value=None):
        """One of our own doors, in JSON whose numbers stay as they were written."""
        content = None if value is None else codec.encode(value)
        answer = await self.client.request(method, path, headers=self.headers, content=content)
        assert answer.status_code == 200, (path, answer.text)
        return codec.decode_kept(answer.content)

    async def seen(self, paths):
        """What an address answers, as bytes; how its pages are linked is the server's own."""
        found = {}
        for path in paths:
            answer = await self.send("GET", path)
            text = re.sub(r',"link":\[[^\]]*\]', "", answer.text)
            if "clude=" in path:
                # Whom an include is asked of decides in which order it comes.
                text = sorted(text.partition('"entry":[')[2].removesuffix("]}").split(',{"fullUrl'))
                text = [each.strip(",").removeprefix('{"fullUrl') for each in text]
            kept = {n: answer.headers.get(n) for n in ("etag", "last-modified")}
            found[path] = (answer.status_code, text, kept)
        return found


def charge(name, patient, code, **more):
    return {
        "resourceType": "ChargeItem",
        "id": name,
        "status": "billable",
        "code": {"coding": [{"system": HCPCS, "code": code}]},
        "subject": {"reference": f"Patient/{patient}"},
        "account": [{"reference": f"Account/of-{patient}"}],
        "occurrenceDateTime": "2025-03-04",
        "quantity": {"value": 1.50},
        **more,
    }


def account(patient, **more):
    return {
        "resourceType": "Account",
        "id": f"of-{patient}",
        "status": "active",
        "subject": [{"reference": f"Patient/{patient}"}],
        "identifier": [{"system": "urn:test:accounts", "value": f"A-{patient}"}],
        **more,
    }


def invoice(name, patient, **more):
    return {
        "resourceType": "Invoice",
        "id": name,
        "status": "issued",
        "subject": {"reference": f"Patient/{patient}"},
        "date": "2025-04-01",
        "totalGross": {"value": 120.00, "currency": "USD"},
        **more,
    }


async def fill_bills(now):
    """Charges, accounts and invoices with changes, deletions, returns, labels and two patients."""
    for patient in ("keller", "ortiz"):
        await now.put(
            {"resourceType": "Patient", "id": patient, "name": [{"family": patient.title()}]}
        )
        await now.put(account(patient))
    for n in range(6):
        await now.put(charge(f"c{n}", "keller" if n % 2 else "ortiz", f"D{n % 3}"))
    await now.put(charge("c1", "keller", "D1", status="billed"))
    await now.put(charge("c1", "ortiz", "D2", status="billed"))  # it was the other patient's
    await now.delete("ChargeItem/c2")
    await now.delete("ChargeItem/c3")
    await now.put(charge("c3", "keller", "D0", status="entered-in-error"))
    shared = [{"reference": "Patient/keller"}, {"reference": "Patient/ortiz"}]
    await now.put(account("both", id="family", subject=shared))
    await now.put(account("both", id="family", subject=shared, status="inactive"))
    very = [{"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "V"}]
    await now.put(invoice("i1", "keller", meta={"security": very}))
    await now.put(invoice("i2", "ortiz"))
    await now.delete("Invoice/i2")
    definition = {"id": "d1", "url": "urn:test:d1", "status": "active", "title": "Visit"}
    await now.put({"resourceType": "ChargeItemDefinition", **definition})


NAMES = (
    "Account/of-keller", "Account/of-ortiz", "Account/family", "Invoice/i1", "Invoice/i2",
    "ChargeItemDefinition/d1", *(f"ChargeItem/c{n}" for n in range(6)),
)  # fmt: skip
SEARCHES = (
    "ChargeItem", "ChargeItem?patient=Patient/keller", "ChargeItem?subject=Patient/ortiz",
    "ChargeItem?code=D1", f"ChargeItem?code={HCPCS}|D2", "ChargeItem?occurrence=ge2025-01-01",
    "ChargeItem?_sort=-_lastUpdated", "ChargeItem?_id=c1,c2,c3", "ChargeItem?_summary=count",
    "ChargeItem?_include=ChargeItem:account", "ChargeItem?_include=ChargeItem:subject",
    "ChargeItem?account=Account/of-keller", "Account?_revinclude=ChargeItem:account",
    "Account?identifier=urn:test:accounts|A-keller", "Account?patient=Patient/ortiz",
    "Account?status=inactive", "Invoice?patient=Patient/keller", "Invoice?date=2025-04",
    "Invoice?totalgross=120", "ChargeItemDefinition?url=urn:test:d1",
    "Patient/keller/ChargeItem", "Patient?_revinclude=ChargeItem:subject",
    "Patient?_has:ChargeItem:subject:code=D0", "ChargeItem?subject:Patient.family=keller",
    "ChargeItem/_history", "Account/_history?_count=2",
)  # fmt: skip


def everything():
    """Every address at which a bill can be seen: by id, by version, by history, by search."""
    for name in NAMES:
        yield f"/fhir/{name}"
        yield f"/fhir/{name}/_history"
        yield from (f"/fhir/{name}/_history/{n}" for n in range(1, 5))
    yield from (f"/fhir/{search}" for search in SEARCHES)


def plainly():
    return (path for path in everything() if "clude=" not in path)


def kinds_in(text):
    """The types of all resources in an answer."""
    value = json.loads(text)
    entries = [each.get("resource", {}) for each in value.get("entry", ())] or [value]
    return {each.get("resourceType") for each in entries}
