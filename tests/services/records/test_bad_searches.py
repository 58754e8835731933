"""A search that cannot be answered is refused by the name of its parameter."""

import pytest
from records_door import issues_of, places_of

BAD_SEARCHES = {
    "unknown parameter": ("shoe=3", 400, "shoe"),
    "a parameter of another type": ("clinical-status=active", 400, "clinical-status"),
    "unknown modifier": ("name:soundex=x", 400, "name:soundex"),
    "a modifier of another kind": ("gender:exact=male", 400, "gender:exact"),
    "injected modifier": ("name:exact';--=x", 400, "name:exact';--"),
    "injected parameter": ("name'%20OR%201=1", 400, "name' OR 1"),
    "no value": ("name=", 400, "name"),
    "501 alternatives": ("gender=" + ",".join(["male"] * 501), 422, "gender"),
    "501 ids": ("_id=" + ",".join(map(str, range(501))), 422, "_id"),
    "100 conditions": ("&".join(["birthdate=ge2000"] * 100), 422, None),
    "count too long": ("_count=" + "9" * 30, 400, "_count"),
    "negative count": ("_count=-1", 400, "_count"),
    "count in other digits": ("_count=%D9%A3", 400, "_count"),
    "count superscript": ("_count=%C2%B2", 400, "_count"),
    "count is a word": ("_count=all", 400, "_count"),
    "bad total": ("_total=exact", 400, "_total"),
    "bad summary": ("_summary=short", 400, "_summary"),
    "sort by nothing known": ("_sort=shoe", 400, "_sort"),
    "injected sort": ("_sort=birthdate;DROP%20TABLE", 400, "_sort"),
    "bad include": ("_include=Patient", 400, "_include"),
    "include of another type": ("_include=Observation:subject", 400, "_include"),
    "include of no reference": ("_include=Patient:name", 400, "_include"),
    "revinclude of everything": ("_revinclude=*", 400, "_revinclude"),
    "revinclude of unknown": ("_revinclude=Shoe:subject", 400, "_revinclude"),
    "a chain to nothing": ("general-practitioner.shoe=x", 400, "general-practitioner.shoe"),
    "a chain of no reference": ("name.name=x", 400, "name.name"),
    "has without a parameter": ("_has:Observation:patient=1", 400, "_has:Observation:patient"),
    "has of no reference": ("_has:Observation:code:code=1", 400, "_has:Observation:code:code"),
    "filter": ("_filter=name%20eq%20x", 400, "_filter"),
    "text": ("_text=x", 400, "_text"),
    "list": ("_list=1", 400, "_list"),
    "query": ("_query=x", 400, "_query"),
    "invalid date": ("birthdate=2026-02-30", 400, "birthdate"),
    "month 13": ("birthdate=2026-13", 400, "birthdate"),
    "year zero": ("birthdate=0000", 400, "birthdate"),
    "date of words": ("birthdate=yesterday", 400, "birthdate"),
    "date with an empty alternative": ("birthdate=2026,", 400, "birthdate"),
    "bad zone": ("_lastUpdated=2026-01-01T00:00:00%2B99:99", 400, "_lastUpdated"),
    "bad cursor": ("_page=nonsense", 400, "_page"),
    "empty cursor": ("_page=", 400, "_page"),
    "cursor of a long text": ("_page=" + "A" * 5000, 400, "_page"),
    "cursor beyond ASCII": ("_page=%E2%82%AC", 400, "_page"),
    "xml": ("_format=xml", 400, "_format"),
    "fhir xml": ("_format=application/fhir%2Bxml", 400, "_format"),
    "NUL": ("name=a%00b", 400, "name"),
    "NUL in a code": ("identifier=a%00b", 400, "identifier"),
    "NUL in an id": ("_id=a%00b", 400, "_id"),
    "reference of unknown type": ("organization=Shoe/1", 400, "organization"),
}


@pytest.mark.parametrize("name", BAD_SEARCHES)
@pytest.mark.parametrize("posted", [False, True])
async def test_a_bad_search_is_refused_by_the_name_of_its_parameter(door, name, posted):
    query, status, place = BAD_SEARCHES[name]
    if posted:
        headers = {"content-type": "application/x-www-form-urlencoded"}
        answer = await door.send("POST", "/fhir/Patient/_search", content=query, headers=headers)
    else:
        answer = await door.send("GET", f"/fhir/Patient?{query}")
    assert answer.status_code == status, answer.text[:500]
    assert issues_of(answer)
    if place is not None:
        assert place in places_of(answer), answer.text
    assert len(answer.content) < 5000


BAD_NUMBERS = [
    "x", "1e", "NaN", "Infinity", "1e999", "1e-999", "gt", "1|a", "1|a|b|c", "--1",
    "1" * 5000, "1e99999999999", "０", "1_000", " 1",
]  # fmt: skip


@pytest.mark.parametrize("value", BAD_NUMBERS)
async def test_a_number_that_is_none_is_refused(door, value):
    params = {"value-quantity": value}
    answer = await door.send("GET", "/fhir/Observation", params=params)
    assert answer.status_code == 400, answer.text[:300]
    assert places_of(answer) == ["value-quantity"]


async def test_a_huge_page_is_cut_to_a_thousand(door):
    answer = await door.send("GET", "/fhir/Basic?_count=999999999")
    assert answer.status_code == 200
    assert "next" not in [link["relation"] for link in answer.json()["link"]]


async def test_a_cursor_opens_for_its_own_client_type_and_service_only(door):
    for _ in range(3):
        await door.make({"resourceType": "Basic", "code": {"text": "page"}})
    first = await door.send("GET", "/fhir/Basic?_count=1")
    (after,) = (link["url"] for link in first.json()["link"] if link["relation"] == "next")
    path = after.removeprefix("http://clinic.test")
    assert (await door.send("GET", path)).status_code == 200
    cursor = path.partition("_page=")[2]
    other = await door.send("GET", path, client="somebody-else")
    assert other.status_code == 400
    assert places_of(other) == ["_page"]
    assert (await door.send("GET", f"/fhir/Patient?_page={cursor}")).status_code == 400
    for changed in (cursor[:-2], cursor + "A", "A" + cursor[1:], cursor[::-1]):
        bent = await door.send("GET", f"/fhir/Basic?_page={changed}")
        assert bent.status_code == 400, changed
        assert places_of(bent) == ["_page"]
