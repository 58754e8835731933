"""Two clinics that differ only in what a caller may not see give that caller the same answers.

Every type and every way to read is asked, made from the inventory of types and parameters.
"""

import json
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from fhir_clinic import SYSTEM, Answered, Clinic, clinician, open_clinic, patient, place, together

from polyclinic.fhirserver.access import DIRECTORY
from polyclinic.fhirserver.errand import Errand
from polyclinic.fhirserver.store.draft import Draft
from polyclinic.foundation.caller import Caller
from polyclinic.standards.fhir.definitions import (
    choice_key,
    in_patient_compartment,
    resource_types,
    search_parameters,
    structure,
)
from polyclinic.standards.fhir.search_values import unsupported_parameters

V3 = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
CALLERS = {"patient": patient("ann"), "clinician": clinician("dora")}
CHARTED = [kind for kind in resource_types() if in_patient_compartment(kind)]
# Of everybody to read; whoever may read the directory sees all of it, so nothing there is hidden.
HIDDEN = [kind for kind in resource_types() if kind not in DIRECTORY and kind != "Patient"]

Resource = dict[str, Any]


def pointing(kind: str, code: str, target: str) -> Resource | None:
    """A resource with one reference, where that parameter looks for it."""
    expression = search_parameters(kind)[code].expression.split(" | ")[0]
    steps = re.sub(r"\.(where|as|ofType)\(.*|[()]", "", expression).split(".")[1:]
    return _within(kind, steps, target)


def _within(path: str, steps: list[str], target: str) -> Resource | None:
    name, *rest = steps
    elements = structure(path)
    if name in elements:
        element, key = elements[name], name
    elif f"{name}[x]" in elements:
        element, key = elements[f"{name}[x]"], choice_key(name, "Reference")
    else:
        return None
    if rest:
        inner = _within(element.types[0], rest, target)
        return None if inner is None else {key: [inner] if element.many else inner}
    if "Reference" not in element.types:
        return None
    value = {"reference": target}
    return {key: [value] if element.many else value}


def about(kind: str, name: str, person: str) -> Resource:
    """A resource of that type in a patient's chart, by the first parameter that can say so."""
    for code in in_patient_compartment(kind):
        made = pointing(kind, code, f"Patient/{person}")
        if made is not None:
            return {"resourceType": kind, "id": name, **made}
    return {"resourceType": kind, "id": name}


def references_of(kind: str) -> list[str]:
    parameters = search_parameters(kind)
    left_out = {*unsupported_parameters(kind), *in_patient_compartment(kind), "patient"}
    return [c for c, p in parameters.items() if p.type == "reference" and c not in left_out]


def own(kind: str) -> Resource:
    """In Ann's chart, and pointing at whatever hidden resource each parameter may point at."""
    made = about(kind, f"own-{kind}", "ann")
    for code in references_of(kind):
        targets = [t for t in search_parameters(kind)[code].target if t in HIDDEN] or HIDDEN[:1]
        more = pointing(kind, code, f"{targets[0]}/hid-{targets[0]}") or {}
        made = {**more, **made}
    return made


async def keep(clinic: Clinic, *resources: Resource) -> None:
    """Past the door's validation: the smallest resource of each type will do."""
    errand = Errand.of(clinic.server.access(SYSTEM), "-")
    grant = errand.access.to("u")
    await together(
        *(
            clinic.server.store.put(
                Draft(errand, grant, r["resourceType"], r["id"], json.loads(json.dumps(r)),
                      check=False)
            )
            for r in resources
        )
    )  # fmt: skip


@pytest.fixture(scope="module")
async def twins(postgres_url: str, key_file: Path) -> AsyncIterator[tuple[Clinic, Clinic]]:
    async with AsyncExitStack() as stack:
        less = await stack.enter_async_context(open_clinic(postgres_url, key_file))
        more = await stack.enter_async_context(open_clinic(postgres_url, key_file))
        secret = {"security": [{"system": V3, "code": "V"}]}
        for clinic in (less, more):
            await clinic.relate("dora", "ann")
            await keep(clinic, {"resourceType": "Patient", "id": "ann"})
            await keep(clinic, {"resourceType": "Patient", "id": "bob"})
            await keep(clinic, {"resourceType": "Practitioner", "id": "dora"})
            if clinic is more:
                await keep(clinic, *(about(kind, f"hid-{kind}", "bob") for kind in HIDDEN))
                eve = {"resourceType": "Patient", "id": "eve", "meta": secret}
                await keep(clinic, eve, *(about(kind, f"eve-{kind}", "eve") for kind in CHARTED))
            await keep(clinic, *(own(kind) for kind in CHARTED))
            if clinic is more:
                # Changed and deleted, too: their versions and their absence are hidden as well.
                await keep(clinic, *(about(kind, f"hid-{kind}", "bob") for kind in HIDDEN))
        yield less, more


def reads(kind: str) -> list[str]:
    """Addresses that name, count, order, include or pass by what is hidden."""
    found = [f"{kind}/{name}-{kind}" for name in ("hid", "own", "eve", "nil")]
    found += [f"{kind}/hid-{kind}/_history", f"{kind}/own-{kind}/_history"]
    found += [f"{kind}/hid-{kind}/_history/{n}" for n in (1, 2, 3)]
    found += [
        f"{kind}?_total=accurate", f"{kind}?_summary=count", f"{kind}?_count=0",
        f"{kind}?_id=hid-{kind},own-{kind},eve-{kind}&_total=accurate",
        f"{kind}?_id=hid-{kind}&_elements=id", f"{kind}?_sort=-_lastUpdated&_count=1",
        f"{kind}?_sort=_id&_summary=true", f"{kind}?_lastUpdated=gt2000&_total=estimate",
        f"{kind}?_include=*", f"Patient/hid/{kind}", f"{kind}?_nonsense=1",
        f"{kind}/_history?_count=200", f"{kind}/_history?_count=1", f"{kind}/_history?_since=2000",
        f"{kind}?_tag:missing=true&_total=accurate", f"{kind}?_tag:not=x&_count=1",
        f"{kind}?_tag:not-in=http://hl7.org/fhir/ValueSet/observation-status&_total=accurate",
    ]  # fmt: skip
    if kind in CHARTED:
        found += [f"Patient/{who}/{kind}?_total=accurate" for who in ("ann", "bob", "eve", "nil")]
    return found


def reads_by_parameters(kind: str) -> list[str]:
    found: list[str] = []
    for code, parameter in search_parameters(kind).items():
        if code in unsupported_parameters(kind) or code.startswith("_"):
            continue
        found.append(f"{kind}?_sort={code}&_total=accurate")
        found.append(f"{kind}?_sort=-{code}&_count=1")
        if parameter.type != "reference":
            continue
        for name in ("Patient/bob", "Patient/eve", "Patient/ann", "bob"):
            found.append(f"{kind}?{code}={name}&_total=accurate")
        for target in parameter.target[:2]:
            found.append(f"{kind}?{code}={target}/hid-{target}&_total=accurate")
        found.append(f"{kind}?_include={kind}:{code}")
        found.append(f"{kind}?{code}:missing=false&_total=accurate")
        found.append(f"{kind}?{code}:identifier=x&_total=accurate")
        for target in parameter.target[:1]:
            found.append(f"{kind}?{code}:{target}._tag:missing=true&_total=accurate")
            found.append(f"{target}?_has:{kind}:{code}:_tag:missing=true&_total=accurate")
            found.append(f"{kind}?{code}:{target}._id=hid-{target},nil&_total=accurate")
            found.append(f"{target}?_has:{kind}:{code}:_id=hid-{kind}&_total=accurate")
        for seen in ("Patient?_id=ann,bob,eve", "Practitioner?_id=dora"):
            found.append(f"{seen}&_revinclude={kind}:{code}")
    return found


def reads_of_charts() -> list[str]:
    found = ["_history?_count=200", "_history?_count=1", "_history?_since=2000&_count=7"]
    for who in ("ann", "bob", "eve", "nil"):
        base = f"Patient/{who}/$everything"
        found += [base, f"{base}?_count=3", f"{base}?_type=Observation,Encounter&_since=2000"]
    return found


_TIME = re.compile(r"20\d\d-\d\d-\d\dT[0-9:.]+(Z|\+00:00)")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_PAGE = re.compile(r"_page=[\w-]+")


def plain(value: object) -> str:
    """An answer without its times, request numbers and sealed cursors."""
    text = json.dumps(value, indent=1)
    return _PAGE.sub("_page", _UUID.sub("uuid", _TIME.sub("time", text)))


def said(answer: Answered) -> str:
    moving = {"last-modified", "x-request-id", "content-length", "location"}
    headers = {name: value for name, value in answer.headers.items() if name not in moving}
    return plain([answer.status, headers, answer.body])


async def agree(twins: tuple[Clinic, Clinic], who: Caller, urls: list[str]) -> None:
    less, more = [await twin.batch(who, *urls) for twin in twins]
    for url, one, other in zip(urls, less.body["entry"], more.body["entry"], strict=True):
        assert plain(one) == plain(other), url
        assert not one["response"]["status"].startswith("5"), url


@pytest.mark.parametrize("role", CALLERS)
async def test_no_read_of_any_type_tells_of_what_is_hidden(twins, role):
    for kind in resource_types():
        await agree(twins, CALLERS[role], reads(kind))


@pytest.mark.parametrize("role", CALLERS)
@pytest.mark.parametrize("every", [8, pytest.param(1, marks=pytest.mark.long)])
async def test_no_search_by_any_parameter_tells_of_what_is_hidden(
    twins, role, every, record_property
):
    urls = [url for kind in resource_types() for url in reads_by_parameters(kind)]
    chosen = urls[list(CALLERS).index(role) :: every]
    record_property("searches, in both clinics", len(chosen))
    for start in range(0, len(chosen), 100):
        await agree(twins, CALLERS[role], chosen[start : start + 100])


@pytest.mark.parametrize("role", CALLERS)
async def test_no_chart_and_no_history_of_all_tells_of_what_is_hidden(twins, role):
    await agree(twins, CALLERS[role], reads_of_charts())
    for url in ("_history?_count=40", "Patient/ann/$everything?_count=9"):
        walks = []
        for twin in twins:
            answers = [await twin.ask(CALLERS[role], "GET", url)]
            while answers[-1].next is not None:
                answers.append(await twin.ask(CALLERS[role], "GET", answers[-1].next))
            walks.append([said(answer) for answer in answers])
        assert walks[0] == walks[1], url
        assert len(walks[0]) > 1


async def test_no_write_by_criteria_tells_of_what_is_hidden(twins):
    who, patch = CALLERS["clinician"], {"content-type": "application/json-patch+json"}
    test = b'[{"op":"test","path":"/status","value":"final"}]'
    for kind in CHARTED:
        for name in (f"hid-{kind}", f"eve-{kind}", f"nil-{kind}"):
            criteria = f"_id={name}"
            for method, url, body, headers in (
                ("DELETE", f"{kind}?{criteria}", None, {}),
                ("PATCH", f"{kind}?{criteria}", test, patch),
                ("PATCH", f"{kind}/{name}", test, patch),
                ("PUT", f"{kind}?{criteria}", {**about(kind, name, "ann")}, {}),
            ):
                less, more = [await twin.ask(who, method, url, body, headers) for twin in twins]
                assert said(less) == said(more), (method, url)


async def test_the_hidden_is_there_and_the_own_is_seen(twins):
    """Without this the twins could agree because nobody sees anything."""
    less, more = twins
    for kind in HIDDEN:
        there = [(await twin.ask(SYSTEM, "GET", f"{kind}/hid-{kind}")).status for twin in twins]
        assert there == [404, 200], kind
    seen = 0
    for kind in CHARTED:
        charts = await more.search(SYSTEM, kind, [("_id", f"hid-{kind},eve-{kind}")])
        assert len(charts.ids) == 2 if kind in HIDDEN else 1
        seen += (await less.ask(CALLERS["clinician"], "GET", f"{kind}/own-{kind}")).status == 200
    assert seen >= len(CHARTED) - 1


@pytest.mark.parametrize("role", CALLERS)
async def test_headers_and_conditions_tell_nothing_either(twins, role):
    who: Caller = CALLERS[role]
    asks: list[tuple[str, str, Any, dict[str, str]]] = []
    for kind in ("Observation", "Condition", "Binary", "Encounter"):
        path = f"{kind}/hid-{kind}"
        for etag in ('W/"1"', 'W/"2"', 'W/"9"', "x"):
            asks.append(("GET", path, None, {"if-none-match": etag}))
            asks.append(("DELETE", path, None, {"if-match": etag}))
        asks += [("HEAD", path, None, {}), ("OPTIONS", path, None, {}), ("PATCH", path, b"{}", {})]
        asks.append(("POST", path, b"{}", {"x-http-method-override": "GET"}))
        form = {"content-type": "application/x-www-form-urlencoded"}
        asks.append(("POST", f"{kind}/_search?patient=ann", b"patient=bob", form))
        asks.append(("POST", f"{kind}/_search?_total=accurate", f"_id=hid-{kind}".encode(), form))
        body = about(kind, f"hid-{kind}", "ann") if kind != "Binary" else None
        body = body or {"resourceType": "Binary", "id": "hid-Binary", "contentType": "text/plain"}
        asks.append(("PUT", path, body, {}))
        asks.append(("PUT", path, body, {"if-match": 'W/"2"'}))
    for method, path, body, headers in asks:
        less, more = [await twin.ask(who, method, path, body, headers) for twin in twins]
        assert said(less) == said(more), (method, path, headers)


async def test_no_transaction_tells_of_what_is_hidden(twins):
    """By conditional or literal references, by updates and deletions, alone or among others."""
    who = CALLERS["clinician"]
    observation = {"resourceType": "Observation", "status": "final", "code": {"text": "x"},
                   "subject": {"reference": "Patient/ann"}}  # fmt: skip
    for kind in CHARTED:
        for target in (f"{kind}?_id=hid-{kind}", f"{kind}/hid-{kind}", f"{kind}/eve-{kind}"):
            body = {**observation, "focus": [{"reference": target}]}
            entry = {"request": {"method": "POST", "url": "Observation"}, "resource": body}
            less, more = [await twin.transaction(who, entry) for twin in twins]
            assert said(less) == said(more), target
            assert less.status in (404, 422), less.body
        entry = {"request": {"method": "DELETE", "url": f"{kind}/hid-{kind}"}}
        less, more = [await twin.transaction(who, entry) for twin in twins]
        assert said(less) == said(more), kind


async def test_a_deleted_hidden_resource_looks_like_one_that_never_was(twins):
    _, more = twins
    await keep(more, about("Observation", "was", "bob"))
    assert (await more.ask(SYSTEM, "DELETE", "Observation/was")).status == 204
    for who in CALLERS.values():
        for path in ("", "/_history", "/_history/1", "/_history/2"):
            less, now = [await twin.ask(who, "GET", f"Observation/was{path}") for twin in twins]
            assert said(less) == said(now), path


async def test_every_type_was_placed_in_a_chart(twins):
    """The inventory grows: a type whose chart cannot be built here would go untested."""
    _, more = twins
    assert [kind for kind in CHARTED if place(about(kind, "x", "bob")) and
            len(about(kind, "x", "bob")) == 2] == []  # fmt: skip
    rows = await more.database.fetchval("SELECT count(*) FROM resource WHERE patient = $1",
                                        more.person("bob"))  # fmt: skip
    assert rows > len(CHARTED) - 3
