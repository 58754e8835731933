"""The import client against a platform that is busy, forgets tokens, refuses and breaks off."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import pytest

from polyclinic.cli import operator as operator_module
from polyclinic.cli.importing import import_paths
from polyclinic.cli.operator import Operator
from polyclinic.foundation import jose
from polyclinic.foundation.errors import Forbidden, Problem, Unavailable

SEED = bytes(range(32))
Answering = Callable[[httpx.Request], httpx.Response]


class Platform:
    """The two endpoints that the client speaks to; `answer` decides about each unit."""

    def __init__(self, answer: Answering) -> None:
        self._answer = answer
        self.tokens = 0
        self.valid = ""
        self.statements: list[str] = []
        self.in_flight = self.most_in_flight = 0
        self.units: list[httpx.Request] = []

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/identity/operator/token":
            return self._token(request)
        assert request.url.path == "/records/import"
        if request.headers["authorization"] != f"Bearer {self.valid}":
            return httpx.Response(401, json={"error_description": "The token is too old."})
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        await asyncio.sleep(0.005)
        self.in_flight -= 1
        self.units.append(request)
        return self._answer(request)

    def _token(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        claims = jose.verify(jose.peek(body["assertion"]), jose.ed25519(SEED), "EdDSA")
        assert claims["iss"] == claims["sub"] == "operator"
        assert claims["aud"] == "polyclinic-operator"
        assert claims["exp"] - claims["iat"] <= 60
        assert claims["jti"] not in self.statements
        self.statements.append(claims["jti"])
        self.tokens += 1
        self.valid = f"token-{self.tokens}"
        return httpx.Response(200, json={"access_token": self.valid})


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(operator_module, "PAUSE_LONGEST", 0.01)

    async def send(platform: Callable[[httpx.Request], Awaitable[httpx.Response]]) -> int:
        transport = httpx.MockTransport(platform)
        operator = Operator("http://platform.test", SEED, transport)
        return await import_paths(operator, [tmp_path / "in"])

    return send


def files(tmp_path: Path, **contents: str) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for name, content in contents.items():
        (folder / name.replace("_", ".")).write_text(content)


def imported(_: httpx.Request) -> httpx.Response:
    return httpx.Response(200, json={"status": "imported", "resources": 2, "refused": []})


async def test_each_unit_is_sent_once_with_its_hash_and_kind(tmp_path, run, capsys):
    files(tmp_path, a_json="{}", b_ndjson="{}\n{}\n")
    platform = Platform(imported)
    assert await run(platform) == 0
    sent = {request.headers["x-source"]: request.headers for request in platform.units}
    assert sent["a.json"]["content-type"] == "application/fhir+json"
    assert sent["b.ndjson"]["content-type"] == "application/fhir+ndjson"
    assert len(sent["a.json"]["x-content-hash"]) == 64
    shown = capsys.readouterr().out
    assert "2 units, 4 resources" in shown
    assert list(tmp_path.glob("import-report-*")) == []


async def test_a_few_units_are_in_flight_at_once_and_not_more(tmp_path, run):
    files(tmp_path, **{f"f{number:02}_json": "{}" for number in range(30)})
    platform = Platform(imported)
    assert await run(platform) == 0
    assert len(platform.units) == 30
    assert platform.most_in_flight == 4


async def test_a_busy_platform_is_asked_again(tmp_path, run):
    files(tmp_path, a_json="{}")
    answers = [httpx.Response(503, headers={"retry-after": "1"}), httpx.Response(429)]

    def busy(request: httpx.Request) -> httpx.Response:
        return answers.pop() if answers else imported(request)

    platform = Platform(busy)
    assert await run(platform) == 0
    assert len(platform.units) == 3


async def test_a_lost_connection_is_tried_again(tmp_path, run):
    files(tmp_path, a_json="{}")
    failures = [httpx.ReadError("gone"), httpx.ConnectError("gone")]

    def broken(request: httpx.Request) -> httpx.Response:
        if failures:
            raise failures.pop()
        return imported(request)

    platform = Platform(broken)
    assert await run(platform) == 0


async def test_a_platform_that_goes_down_again_and_again_is_asked_until_it_answers(tmp_path, run):
    files(tmp_path, a_json="{}")
    answers = [httpx.Response(503, headers={"retry-after": "1"}), httpx.ReadError("gone")] * 20

    def flapping(request: httpx.Request) -> httpx.Response:
        if not answers:
            return imported(request)
        answer = answers.pop()
        if isinstance(answer, Exception):
            raise answer
        return answer

    platform = Platform(flapping)
    assert await run(platform) == 0
    assert len(platform.units) == 41


async def test_a_token_that_expires_while_the_platform_is_down_is_renewed_afterwards(tmp_path, run):
    files(tmp_path, a_json="{}")
    failures = [httpx.ConnectError("gone"), httpx.ReadError("gone")]

    class Away(Platform):
        async def __call__(self, request: httpx.Request) -> httpx.Response:
            if self.units and request.url.path.endswith("/token") and failures:
                raise failures.pop()
            return await super().__call__(request)

    def forgetful(request: httpx.Request) -> httpx.Response:
        return httpx.Response(401) if len(platform.units) == 1 else imported(request)

    platform = Away(forgetful)
    assert await run(platform) == 0
    assert (len(platform.units), failures) == (2, [])


async def test_a_platform_that_stays_away_is_given_up(tmp_path, run, monkeypatch):
    files(tmp_path, a_json="{}")
    monkeypatch.setattr(operator_module, "PATIENCE_SECONDS", 0.05)

    def gone(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("gone")

    with pytest.raises(Unavailable, match="does not answer"):
        await run(Platform(gone))


async def test_an_expired_token_is_renewed_once_for_all_in_flight(tmp_path, run):
    files(tmp_path, **{f"f{number}_json": "{}" for number in range(8)})
    platform = Platform(imported)

    def forgetful(request: httpx.Request) -> httpx.Response:
        if len(platform.units) == 2:
            platform.valid = "another"
        return imported(request)

    platform._answer = forgetful
    assert await run(platform) == 0
    assert len({request.headers["x-source"] for request in platform.units}) == 8
    assert platform.tokens <= 5


async def test_what_is_refused_is_told_exactly_and_written_down(tmp_path, run, capsys):
    files(tmp_path, a_json="{}", b_ndjson="\n{}\n\n{}\n")

    def strict(request: httpx.Request) -> httpx.Response:
        if request.headers["x-source"] == "a.json":
            return imported(request)
        reason = {"line": 2, "entry": None, "place": "Patient.birthDate", "text": "no date"}
        return httpx.Response(422, json={"status": "refused", "resources": 0, "refused": [reason]})

    assert await run(Platform(strict)) == 1
    shown = capsys.readouterr().out
    # The second line that was sent is the fourth of the file.
    assert "b.ndjson, line 4, Patient.birthDate: no date" in shown
    (report,) = tmp_path.glob("import-report-*.json")
    assert json.loads(report.read_text())["refused"] == [
        {"source": "b.ndjson", "line": 4, "place": "Patient.birthDate", "text": "no date"}
    ]
    assert report.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("status", ["imported", "already"])
async def test_lines_that_were_left_out_of_an_imported_unit_are_told_and_fail_the_command(
    tmp_path, run, capsys, status
):
    files(tmp_path, a_ndjson="{}\n{}\n{}\n")
    reason = {"line": 3, "place": "Patient.birthDate", "text": "no date"}
    answer = {"status": status, "resources": 2, "refused": [reason]}
    platform = Platform(lambda _: httpx.Response(200, json=answer))
    assert await run(platform) == 1
    assert len(platform.units) == 1
    shown = capsys.readouterr().out
    assert "1 units, kept without what was refused" in shown
    assert "a.ndjson, line 3, Patient.birthDate: no date" in shown
    (report,) = tmp_path.glob("import-report-*.json")
    assert len(json.loads(report.read_text())["refused"]) == 1


async def test_a_unit_that_needs_a_later_one_is_sent_again(tmp_path, run):
    files(tmp_path, a_json='{"needs": "z"}', z_json="{}")
    seen: set[str] = set()

    def dependent(request: httpx.Request) -> httpx.Response:
        source = request.headers["x-source"]
        if source == "a.json" and "z.json" not in seen:
            reason = {"entry": 1, "text": "the practice is not known"}
            return httpx.Response(422, json={"status": "refused", "refused": [reason]})
        seen.add(source)
        return imported(request)

    assert await run(Platform(dependent)) == 0
    assert seen == {"a.json", "z.json"}


async def test_an_unreadable_body_is_a_refusal_in_the_platforms_words(tmp_path, run, capsys):
    files(tmp_path, a_json="{")
    outcome = {"resourceType": "OperationOutcome", "issue": [{"diagnostics": "It is not JSON."}]}
    assert await run(Platform(lambda _: httpx.Response(400, json=outcome))) == 1
    assert "a.json: It is not JSON." in capsys.readouterr().out


async def test_a_fault_of_the_platform_stops_the_import(tmp_path, run):
    files(tmp_path, a_json="{}")
    with pytest.raises(Problem, match="The import stopped"):
        await run(Platform(lambda _: httpx.Response(500, json={})))


async def test_a_wrong_key_is_one_sentence_and_no_unit_is_sent(tmp_path, run):
    files(tmp_path, a_json="{}")
    sent: list[str] = []

    async def closed(request: httpx.Request) -> httpx.Response:
        sent.append(request.url.path)
        return httpx.Response(401, json={"error_description": "The signature is wrong."})

    with pytest.raises(Forbidden, match="The signature is wrong"):
        await run(closed)
    assert sent == ["/identity/operator/token"]
