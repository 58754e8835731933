"""A transaction with an Idempotency-Key is carried out once, and creates need not overwrite."""

import asyncio
from typing import Any
from uuid import uuid4

from records_door import Door, bundle, patient, put


def _new(**request: str) -> dict[str, Any]:
    return put(patient(id=str(uuid4())), **request)


async def _send(door: Door, key: str, *entries: dict[str, Any], kind: str = "transaction") -> Any:
    headers = {"idempotency-key": key}
    return await door.send("POST", "/fhir", resource=bundle(kind, *entries), headers=headers)


async def test_a_repeated_transaction_has_one_effect_and_the_same_answer(door: Door) -> None:
    entry, key = _new(), str(uuid4())
    first = await _send(door, key, entry)
    again = await _send(door, key, entry)
    assert first.status_code == again.status_code == 200, first.text
    assert first.content == again.content
    assert first.json()["entry"][0]["response"]["etag"] == 'W/"1"'
    found = await door.send("GET", f"/fhir/Patient/{entry['resource']['id']}")
    assert found.json()["meta"]["versionId"] == "1"


async def test_eight_at_once_are_one(door: Door) -> None:
    entry, key = _new(), str(uuid4())
    answers = await asyncio.gather(*(_send(door, key, entry) for _ in range(8)))
    assert {each.content for each in answers} == {answers[0].content}, answers[0].text
    found = await door.send("GET", f"/fhir/Patient/{entry['resource']['id']}")
    assert found.json()["meta"]["versionId"] == "1"


async def test_a_key_that_meant_something_else_is_refused(door: Door) -> None:
    key = str(uuid4())
    await _send(door, key, _new())
    answer = await _send(door, key, _new())
    assert answer.status_code == 422, answer.text


async def test_what_was_refused_kept_nothing_and_may_come_again(door: Door) -> None:
    entry, key = _new(), str(uuid4())
    stale = put(dict(entry["resource"]), ifMatch='W/"1"')
    assert (await _send(door, key, stale)).status_code in (404, 412)
    await door.send("PUT", f"/fhir/{entry['request']['url']}", resource=entry["resource"])
    answer = await _send(door, key, stale)
    assert answer.status_code == 200, answer.text


async def test_an_answer_that_is_kept_holds_nothing_of_a_chart(door: Door) -> None:
    entry, key = _new(), str(uuid4())
    read = {"request": {"method": "GET", "url": f"Patient/{entry['resource']['id']}"}}
    assert (await _send(door, key, entry, read)).status_code == 400
    answer = await _send(door, key, entry)
    assert b"Ruiz" not in answer.content
    rows = await door.sql("SELECT answer FROM records.answered WHERE answer IS NOT NULL")
    assert rows
    assert not any(b"Ruiz" in row["answer"] for row in rows)


async def test_if_none_match_creates_and_never_overwrites(door: Door) -> None:
    resource = patient(id=str(uuid4()))
    headers = {"if-none-match": "*"}
    path = f"/fhir/Patient/{resource['id']}"
    first = await door.send("PUT", path, resource=resource, headers=headers)
    again = await door.send("PUT", path, resource=resource, headers=headers)
    assert (first.status_code, again.status_code) == (201, 412), again.text
    both = await _send(door, str(uuid4()), put(resource, ifNoneMatch="*"), _new(ifNoneMatch="*"))
    assert both.status_code == 412, both.text
