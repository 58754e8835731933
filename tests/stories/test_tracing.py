"""A real collector hears one trace of what several processes did, and no word of a patient."""

import http.server
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from story_clinic import Clinic, a_folder, until
from story_topologies import apart

from polyclinic.foundation.postgres import EmbeddedPostgres
from polyclinic.foundation.tracing import ALLOWED

FHIR = {"content-type": "application/fhir+json"}
NAMES = ("identity", "records", "portal", "insights")
PLANTED = "Quillfeather"
FAST = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
Span = dict[str, Any]


class Collector:
    """OTLP over HTTP on loopback: keeps the spans that it is sent."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        heard = self.spans

        class Door(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                heard.extend(read(ExportTraceServiceRequest.FromString(body)))
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Says nothing."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Door)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1/traces"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def traces(self) -> list[list[Span]]:
        """All spans so far, by trace; in one pass, for the door wants to hear meanwhile."""
        found: dict[bytes, list[Span]] = {}
        for span in list(self.spans):
            found.setdefault(span["trace"], []).append(span)
        return list(found.values())


def read(request: ExportTraceServiceRequest) -> Iterator[Span]:
    for of in request.resource_spans:
        resource = {each.key: each.value.string_value for each in of.resource.attributes}
        for span in (span for scope in of.scope_spans for span in scope.spans):
            said = {a.key: a.value.string_value or a.value.int_value for a in span.attributes}
            yield {
                "service": resource["service.name"],
                "resource": resource,
                "name": span.name,
                "trace": span.trace_id,
                "id": span.span_id,
                "parent": span.parent_span_id,
                "said": said,
                "links": len(span.links),
                "events": len(span.events),
                "failed": span.status.code,
                "said of it": span.status.message,
            }


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    collector = Collector()
    yield collector
    collector.server.shutdown()
    collector.server.server_close()


@pytest.fixture(scope="module")
async def traced_postgres() -> AsyncIterator[tuple[EmbeddedPostgres, str]]:
    with a_folder() as folder:
        server = EmbeddedPostgres(folder / "data", settings=FAST)
        try:
            yield server, await server.start()
        finally:
            await server.stop()


@pytest.fixture(scope="module")
def clinic(traced_postgres, collector: Collector) -> Iterator[Clinic]:
    with a_folder() as folder:
        told = {"POLYCLINIC_TRACES_URL": collector.url}
        yield from apart(folder, traced_postgres, "traced", 1, NAMES, told)


def is_whole(trace: list[Span]) -> bool:
    """Each process sends its spans when it comes to it."""
    return {each["parent"] for each in trace} <= {b"", *(each["id"] for each in trace)}


def chain(spans: list[Span], last: Span) -> list[str]:
    """`service: name` of a span and of those above it, the first cause first."""
    by_id = {span["id"]: span for span in spans}
    found = [last]
    while found[0]["parent"]:
        found.insert(0, by_id[found[0]["parent"]])
    return [f"{each['service']}: {each['name']}" for each in found]


def test_a_write_its_event_and_the_effect_are_one_trace(clinic: Clinic, collector: Collector):
    resource = {"resourceType": "Patient", "name": [{"family": PLANTED}], "birthDate": "1961-07-08"}
    api = clinic.api(clinic.token())
    strange = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    made = api.post("/fhir/Patient", json=resource, headers={**FHIR, "traceparent": strange})
    assert made.status_code == 201, made.text

    def effect() -> tuple[list[Span], Span] | None:
        for trace in collector.traces():
            names = {each["name"]: each for each in trace}
            found = names.get("effect of ResourceCreated")
            if found and "POST /fhir/Patient" in names and is_whole(trace):
                return trace, found
        return None

    trace, last = until(effect, 40, "the effect's span")
    above = chain(trace, last)
    assert above[0] == "edge: POST /records", above
    assert above[1].startswith("records: POST /fhir/"), above
    assert above[-1] == "insights: effect of ResourceCreated"
    assert strange.split("-")[1] not in {each["trace"].hex() for each in collector.spans}


def test_a_page_shows_the_calls_that_it_waited_for(clinic: Clinic, collector: Collector):
    visitor = clinic.signed_in("maria")
    assert visitor.get("/home").status_code == 200

    def page() -> list[Span] | None:
        for trace in collector.traces():
            services = {each["service"] for each in trace}
            is_page = "GET /home" in {each["name"] for each in trace}
            if is_page and {"portal", "records"} <= services and is_whole(trace):
                return trace
        return None

    trace = until(page, 40, "the page's trace")
    served = [s for s in trace if s["service"] == "records" and s["said"].get("http.route")]
    assert served
    for each in served:
        above = chain(trace, each)
        assert above[0] == "portal: GET /home", above
        assert above[-2].endswith(" records"), above


def test_no_span_says_a_word_of_a_patient(clinic: Clinic, collector: Collector):
    api = clinic.api(clinic.token())
    found = api.get("/fhir/Patient", params={"family": PLANTED}).json()
    key = found["entry"][0]["resource"]["id"]
    assert api.get(f"/fhir/Patient/{key}?_format=json&note={PLANTED}").status_code == 200
    api.get(f"/fhir/{PLANTED}/{PLANTED}")
    api.request("PROPFIND", f"/{PLANTED}")
    count = len(collector.spans)
    until(lambda: len(collector.spans) > count or None, 40, "more spans")
    until(lambda: "GET /fhir/Patient/{id}" in {s["name"] for s in collector.spans} or None, 40)
    for span in collector.spans:
        assert set(span["said"]) <= ALLOWED, span
        assert (span["events"], span["said of it"]) == (0, ""), span
        text = repr({**span, "trace": "", "id": "", "parent": ""})
        for word in (PLANTED, key, "1961-07-08", "maria", "_format", "family"):
            assert word not in text, span
        assert set(span["resource"]) <= {"service.namespace", "service.instance.id", "service.name"}
