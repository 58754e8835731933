"""Sources that are huge, broken or full of secrets: streamed, counted, and never kept."""

import json
import tracemalloc
from dataclasses import replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_inventory_against_truth import as_har

from polyclinic.foundation.errors import Invalid, TooLarge
from polyclinic.services.migration.domain.inventory import har, openapi
from polyclinic.services.migration.domain.inventory.checking import check_finding
from polyclinic.services.migration.domain.inventory.exports import read_exports
from polyclinic.services.migration.domain.inventory.findings import Endpoint, Finding, merged
from polyclinic.services.migration.domain.inventory.har import read_har
from polyclinic.services.migration.domain.inventory.logs import LINE_MAX, lines, read_log
from polyclinic.services.migration.domain.inventory.openapi import read_openapi
from polyclinic.services.migration.domain.inventory.tables import read_information_schema
from polyclinic.services.migration.domain.inventory.traffic import Request, Traffic

LINE = (
    '10.0.0.9 - skim [03/Mar/2026:09:15:00 -0500] "GET /api/patient/HS-100007/meds?token=SECRET-T'
    '&mrn=SECRET-M HTTP/1.1" 200 512 "http://h/?s=SECRET-R" "SECRET-AGENT" 0.012'
)


def test_no_token_cookie_or_value_of_a_request_is_kept():
    recorded = read_har(as_har([("POST", "/a/b?x=SECRET")]))
    for finding in (read_log([f"{LINE}\n".encode()]), recorded):
        kept = msgspec.json.encode(finding).decode()
        assert "SECRET" not in kept
        assert "HS-100007" not in kept
    assert read_log([LINE.encode()]).endpoints[0].parameters == ("mrn", "token")


def test_lines_that_cannot_be_read_are_counted_with_their_numbers_and_nothing_of_them_kept():
    text = f'{LINE}\nSECRET nonsense\n\n{LINE}\n{{"SECRET": }}\n{"x" * (LINE_MAX + 9)}\n{LINE}'
    finding = read_log([text.encode()])
    assert (finding.read, finding.bad) == (6, 3)
    assert [each.line for each in finding.bad_lines] == [2, 5, 6]
    assert b"SECRET" not in msgspec.json.encode(finding)
    assert finding.endpoints[0].count == 3


@given(st.binary(max_size=400), st.integers(1, 50))
def test_however_the_bytes_are_cut_the_lines_are_the_same(content, size):
    cut = [content[at : at + size] for at in range(0, len(content), size)]
    assert list(lines(cut)) == list(lines([content]))


@given(st.lists(st.binary(max_size=200), max_size=20))
def test_whatever_stands_in_a_log_is_read_or_counted(chunks):
    finding = read_log(chunks)
    assert finding.bad <= finding.read


def test_json_logs_are_read_as_combined_ones_are():
    values = {"time": "2026-03-03T09:15:00-05:00", "method": "GET", "user": "skim",
              "path": "/api/patient/HS-100007/meds?token=x&mrn=y", "status": 200,
              "request_time": 0.012}  # fmt: skip
    found = read_log([json.dumps(values).encode()])
    assert found.endpoints == read_log([LINE.encode()]).endpoints
    for bad in ({}, {**values, "status": "no"}, {**values, "time": "soon"}, {**values, "path": 7}):
        assert read_log([json.dumps(bad).encode()]).bad == 1


def test_a_log_is_streamed_and_holds_shapes_only():
    def endless():
        for n in range(6_000):
            yield LINE.replace("HS-100007", f"HS-{n}").encode() + b"\n"

    read_log([LINE.encode()])
    tracemalloc.start()
    finding = read_log(endless())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert finding.read == 6_000
    assert [each.template for each in finding.endpoints] == ["/api/patient/{}/meds"]
    assert peak < 2**20, "two megabytes went by"


def test_paths_without_end_do_not_fill_the_memory():
    traffic = Traffic()
    for n in range(20_000):
        word = "".join(chr(97 + n // 26**i % 26) for i in range(4))
        traffic.add(Request("GET", f"/{word}/{word[::-1]}/x", 200))
    endpoints = traffic.endpoints()
    assert sum(each.count for each in endpoints) <= 20_000
    assert len(endpoints) <= 3000


def test_what_scanners_ask_for_does_not_become_an_endpoint():
    traffic = Traffic()
    for path in ("/wp-login.php", "/.env", "/cgi-bin/luci"):
        traffic.add(Request("GET", path, 404))
        traffic.add(Request("POST", path, 401))
    traffic.add(Request("GET", "/logo.png", 200))
    traffic.add(Request("GET", "/sites", 403, user="skim"))
    assert traffic.endpoints() == ()
    assert traffic.said_left_out() == {
        "nothing there, or nobody signed in": 6,
        "only ever refused": 1,
        "pictures, scripts and styles": 1,
    }


def test_yaml_that_unfolds_into_more_than_a_machine_holds_is_refused():
    bomb = "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\nopenapi: 3.0.0\npaths: {}\n"
    for page in (bomb, "[" * 5000, "{" * 5000, "paths: 7\nopenapi: 3", "- a", "!!python/name:os.x"):
        with pytest.raises(Invalid):
            read_openapi(page.encode())
    circle = {"openapi": "3.0.0", "paths": {"/a": {"get": {"responses": {"$ref": "#/x"}}}},
              "x": {"properties": {"Dose": {"$ref": "#/x"}}}}  # fmt: skip
    assert read_openapi(json.dumps(circle).encode()).endpoints[0].fields == ("Dose",)


def test_pages_and_recordings_that_are_too_large_are_refused(monkeypatch):
    monkeypatch.setattr(har, "HAR_MAX", 10)
    monkeypatch.setattr(openapi, "OPENAPI_MAX", 10)
    for read in (read_har, read_openapi):
        with pytest.raises(TooLarge):
            read(b"{" + b" " * 20 + b"}")


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b'{"log": {}}', b"\xff\xfe", b"[" * 9999])
def test_what_is_no_recording_and_no_dump_is_refused_with_a_sentence(content):
    with pytest.raises(Invalid):
        read_har(content)
    with pytest.raises(Invalid):
        read_information_schema(content)
    broken = json.dumps({"log": {"entries": [1, {"request": 2}, {}]}}).encode()
    assert [each.line for each in read_har(broken).bad_lines] == [1, 2, 3]


def test_rows_of_exports_that_do_not_fit_are_counted_with_their_lines():
    finding = read_exports({"people": ["id,name\n", "1,Ann\n", "2\n", "3,Bo,x\n", "4,Cy\n"]})
    assert (finding.read, finding.bad) == (4, 2)
    assert [each.line for each in finding.bad_lines] == [3, 4]
    with pytest.raises(Invalid):
        read_exports({"empty": []})


@pytest.mark.parametrize(
    "endpoint",
    [
        Endpoint(method="GET", template="/api/patient/HS-100007"),
        Endpoint(method="GET", template="/mail/ann@example.org"),
        Endpoint(method="TRACE", template="/api"),
        Endpoint(method="GET", template="/api", parameters=("mrn=HS-100007",)),
        Endpoint(method="GET", template="/api", fields=("HS-100007",)),
    ],
)
def test_a_finding_that_names_somebody_is_refused(endpoint):
    finding = Finding(source="log", endpoints=(endpoint,))
    with pytest.raises(Invalid):
        check_finding(finding)
    sound = Endpoint(method="GET", template="/api/patient/{}", parameters=("mrn",))
    check_finding(Finding(source="log", endpoints=(sound,)))


def test_a_head_counts_as_a_get():
    traffic = Traffic()
    one = Request("HEAD", "/sites", 200)
    traffic.add(one)
    traffic.add(replace(one, method="GET"))
    assert [each.count for each in traffic.endpoints()] == [2]


def test_the_logs_of_two_weeks_are_added_up():
    one = read_log([LINE.encode()], roles={"skim": "md"})
    both = merged([one, replace_label(one), Finding(source="openapi", endpoints=one.endpoints[:0])])
    endpoint = both.endpoints[0]
    assert (endpoint.count, endpoint.roles, sum(endpoint.hours.values())) == (2, {"md": 2}, 2)


def replace_label(finding):
    return msgspec.structs.replace(finding, label="last week")
