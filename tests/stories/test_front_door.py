"""The front door before strangers: odd addresses, foreign headers, its own health and numbers."""

import socket
from urllib.parse import urlsplit

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from story_clinic import NAMES, PEOPLE, Clinic


def raw(clinic: Clinic, content: bytes, port: int | None = None) -> bytes:
    """Sends bytes as they are, and reads until the other side has said all."""
    address = ("127.0.0.1", port or urlsplit(clinic.url).port)
    with socket.create_connection(address, timeout=10) as connection:
        connection.sendall(content)
        answer = b""
        while part := connection.recv(65536):
            answer += part
    return answer


def ask(clinic: Clinic, target: str, method: str = "GET", *headers: str) -> tuple[int, bytes]:
    lines = [f"{method} {target} HTTP/1.1", "Host: 127.0.0.1", "Connection: close", *headers]
    answer = raw(clinic, ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
    return int(answer.split(b" ", 2)[1]), answer


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/fhir/../identity/jwks", 400),
        ("/fhir/%2e%2e/identity/jwks", 400),
        ("/fhir/.%2E/identity/jwks", 400),
        ("/static/..%2f..%2fidentity/jwks", 400),
        ("/./identity/jwks", 400),
        ("/identity%2fjwks", 400),
        ("/identity%5Cjwks", 400),
        ("/identity\\jwks", 400),
        ("/identity/jwks%00", 400),
        ("//identity/jwks", 404),
        ("/identityx/jwks", 404),
        ("/identity.x/jwks", 404),
        ("/fhirx/metadata", 404),
        ("/IDENTITY/jwks", 404),
        ("/identity//jwks", 404),
        ("/fhir/Patient/%ff%fe", 401),
        ("/" + "a" * 5000, 414),
    ],
)
def test_an_odd_address_reaches_no_other_service(topology: Clinic, target: str, status: int):
    got, answer = ask(topology, target)
    assert got == status, answer[:300]
    assert b'"keys"' not in answer
    assert b"capabilit" not in answer.lower()


def test_a_question_to_the_server_itself_is_refused(topology: Clinic):
    assert ask(topology, "*", "OPTIONS")[0] == 400


def test_head_is_answered_like_get_without_the_body(topology: Clinic):
    with topology.api() as api:
        for path in ("/fhir/metadata", "/identity/jwks", "/sign-in", "/health/live"):
            head, get = api.head(path), api.get(path)
            assert head.status_code == get.status_code, path
            assert head.content == b"", path
            assert head.headers.get("content-type") == get.headers.get("content-type")


def test_an_answer_names_its_server_and_date_once(topology: Clinic):
    for path in ("/identity/jwks", "/fhir/metadata", "/home"):
        _, answer = ask(topology, path)
        head = answer.partition(b"\r\n\r\n")[0].lower()
        for name in (b"\r\ndate:", b"\r\nserver:", b"\r\nx-request-id:"):
            assert head.count(name) <= 1, (path, name)
        assert head.count(b"\r\nx-request-id:") == 1


def test_a_stranger_cannot_say_where_the_platform_is_or_who_asks(topology: Clinic):
    spoofed = {
        "x-forwarded-host": "evil.example",
        "x-forwarded-proto": "https",
        "forwarded": "host=evil.example;proto=https",
        "x-polyclinic-hop": "eyJob3N0IjoiZXZpbC5leGFtcGxlIn0=.00",
    }
    api = topology.api(topology.token("system/*.rs"))
    metadata = api.get("/fhir/metadata", headers=spoofed)
    assert metadata.json()["implementation"]["url"] == f"{topology.url}/fhir"
    page = api.get("/fhir/Patient", params={"_count": "1"}, headers=spoofed)
    assert "evil.example" not in page.text
    way_in = httpx.get(f"{topology.url}/sign-in", headers=spoofed, trust_env=False)
    assert way_in.headers["location"].startswith(f"{topology.url}/identity/authorize")
    for url in topology.urls.values():
        direct = httpx.get(f"{url}/fhir/metadata", headers=spoofed, trust_env=False)
        assert "evil.example" not in direct.text


def test_wrong_passwords_count_for_the_person_and_not_for_the_front_door(per_service: Clinic):
    """Else forty of anybody's mistakes would lock everybody out at once."""
    headers = {"x-forwarded-for": "198.51.100.7"}
    for number in range(3):
        visitor = per_service.visitor(headers=headers)
        answer = visitor.sign_in("maria", f"wrong-{number}")
        assert answer.status_code == 401
    assert per_service.signed_in("maria").page.status_code == 200


def behind(clinic: Clinic) -> tuple[str, ...]:
    """The services in the process of the front door."""
    if "edge" in clinic.programs:
        return ()
    return ("portal",) if clinic.urls else NAMES


def test_every_service_and_the_whole_say_that_they_live_and_are_ready(topology: Clinic):
    with topology.api() as api:
        for name in NAMES:
            assert api.get(f"/{name}/health/live").json() == {"status": "live"}
            ready = api.get(f"/{name}/health/ready")
            assert ready.json() == {"status": "ready", "service": name}
        whole = api.get("/health/ready")
        assert whole.status_code == 200
        ours = behind(topology)
        assert whole.json()["services"] == dict.fromkeys(ours, "ready")
        assert api.get("/health/live").json() == {"status": "live"}


def test_numbers_are_valid_for_each_service_and_for_the_whole(topology: Clinic):
    maria = PEOPLE["maria"]
    with topology.api() as api:
        for path in ("/metrics", *(f"/{name}/metrics" for name in NAMES)):
            answer = api.get(path)
            text = answer.text
            assert answer.status_code == 200, (path, text[:500])
            assert maria.person.partition("/")[2] not in text
            families = list(text_string_to_metric_families(text))
            names = [family.name for family in families]
            assert len(names) == len(set(names)), path
            samples = [
                (s.name, tuple(sorted(s.labels.items()))) for f in families for s in f.samples
            ]
            assert len(samples) == len(set(samples)), path
            assert "polyclinic_request_seconds" in names, names
        merged = {
            sample.labels["service"]
            for family in text_string_to_metric_families(api.get("/metrics").text)
            for sample in family.samples
            if "service" in sample.labels
        }
        # A process that passes requests on counts them, too, as the edge.
        assert merged - {"edge"} == set(behind(topology))


def test_a_form_that_is_far_too_large_is_refused_not_dropped(topology: Clinic):
    with topology.api() as api:
        form = {"content-type": "application/x-www-form-urlencoded"}
        for path in ("/identity/token", "/identity/sign-in"):
            answer = api.post(path, content=b"a=" + b"x" * (2 << 20), headers=form)
            assert answer.status_code == 413, path


def test_a_body_in_chunks_arrives_whole(topology: Clinic):
    api = topology.api(topology.token())
    content = b'{"resourceType":"Basic","id":"chunks","code":{"text":"in chunks"}}'
    pieces = (content[n : n + 7] for n in range(0, len(content), 7))
    made = api.put(
        "/fhir/Basic/chunks", content=pieces, headers={"content-type": "application/fhir+json"}
    )
    assert made.status_code in (200, 201), made.text


def test_a_body_that_breaks_off_is_never_taken_for_a_whole_one(topology: Clinic):
    """Two lines of a file are a valid file; half of an upload is not."""
    token = topology.token()
    line = b'{"resourceType":"Basic","id":"half-%d","code":{"text":"half"}}\n'
    whole = b"".join(line % n for n in range(400))
    port = urlsplit(topology.url).port
    for how in (f"Content-Length: {len(whole)}", "Transfer-Encoding: chunked"):
        head = (
            f"POST /records/import HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{how}\r\n"
            f"Authorization: Bearer {token}\r\nContent-Type: application/fhir+ndjson\r\n\r\n"
        )
        part = whole[: whole.index(b"\n", 9000) + 1]
        if "chunked" in how:
            part = b"%x\r\n%s\r\n" % (len(part), part)
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(head.encode() + part)
    api = topology.api(token)
    assert api.get("/fhir/Basic/half-400").status_code == 404  # the door is still there
    assert api.get("/fhir/Basic/half-1").status_code == 404
