"""Random requests that are almost right, which is where doors are weakest."""

import base64
import copy
import json
from random import Random
from typing import Any
from urllib.parse import quote, urlencode

from polyclinic.demo.fixture import bundles
from polyclinic.standards.fhir.definitions import resource_types, search_parameters

TYPES = [*resource_types()]
STRANGE: list[Any] = [
    None, True, False, 0, -1, 1, 2**31, 2**63, 2**64, -(2**63) - 1, 10**40, 0.1, -0.0, 1e300,
    1e-300, 5e-324, "", " ", "0", "\x00", "a\x00b", "\ud800", "\uffff", "\u202e", "😀" * 30,
    "é", "e\u0301",
    "x" * 3000, "\\", "\\,", ",", "|", "||", "a|b|c", "$", "%", "'; DROP TABLE resource; --",
    "{{7*7}}", "../../etc/passwd", "null", "NaN", "[]", [], {}, [[]], [None], [{}], {"": ""},
    {"a": {"b": {"c": []}}}, {"reference": "Patient/none"}, {"reference": "#x"},
    {"reference": "urn:uuid:00000000-0000-0000-0000-000000000000"}, {"reference": "Patient?name=x"},
    {"reference": "Shoe?size=3"}, {"reference": "?"}, {"reference": "http://["}, {"value": "x"},
    {"value": 1e308, "unit": "m"}, {"value": "1e5"}, {"start": "9999", "end": "0001"},
    {"start": "2026-02-30"}, {"low": {"value": 5}}, "0001-01-01", "0001", "9999", "9999-12-31",
    "9999-12-31T23:59:59.999999999+14:00", "0001-01-01T00:00:00+14:00", "2026-06-30T23:59:60Z",
    "2026-02-29", "2026-13", "2026-11-22T25:00:00Z", "24:00:00", "urn:uuid:x", "http://[::1",
    "Patient/", "/", "//", "Patient/x/_history/1", "Patient/x/_history/99999999999", "#", "urn:",
    "ge2026", "gt", "eq", "ap0", "sa9999", "eb0001", "ne5", "-", "1e999", "0e0", "1e-400", "5|",
    "5||", "5|http://unitsofmeasure.org|kg", "male", "true", "Patient", "Patient/1", "*", ".", "..",
]  # fmt: skip
METHODS = ["GET", "GET", "GET", "POST", "POST", "PUT", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"]
RESULTS = [
    "_count", "_sort", "_total", "_include", "_revinclude", "_summary", "_elements", "_page",
    "_format", "_pretty", "_id", "_lastUpdated", "_has", "_text", "_content", "_list", "_filter",
    "_tag", "_profile", "_security", "_source", "_type", "_since", "_before", "_query",
]  # fmt: skip
MODIFIERS = [
    "exact", "contains", "missing", "not", "text", "in", "not-in", "above", "below", "Patient",
    "of-type", "identifier", "",
]  # fmt: skip
POINTERS = [
    "", "/", "/id", "/meta", "/meta/security", "/meta/tag/-", "/status", "/name/0/given/0",
    "/name/-", "/code/coding/0", "/subject/reference", "/x", "/~01", "/~2", "x", "/name/99",
    "/extension/-", "/identifier/0/value", "/birthDate",
]  # fmt: skip
TAILS = [
    "_history", "_history/1", "_history/x", "_search", "$everything", "$validate", "Observation",
    "Patient", "_history/1/x", "*", "%00", "%FF", "..", "",
]  # fmt: skip
HEADERS: dict[str, list[str]] = {
    "if-match": ['W/"1"', '"1"', "*", "x", 'W/"99999999999"', "", 'W/""', 'W/"0"'],
    "if-none-match": ['W/"1"', "*", "x", ""],
    "if-none-exist": ["name=x", "", "identifier=a|b", "_id=\x01", "x"],
    "if-modified-since": ["x", "Sun, 06 Nov 1994 08:49:37 GMT"],
    "prefer": ["return=minimal", "return=OperationOutcome", "handling=lenient", ";;;", ""],
    "content-type": ["application/json", "text/plain", "", "application/fhir+json; charset=x",
                     "application/x-www-form-urlencoded", "application/fhir+xml",
                     "application/json-patch+json"],
    "accept": ["application/fhir+xml", "*/*", "", "x"],
    "x-request-id": ["x" * 100, "abcdefgh", "a\tb", "", "ÿ" * 20],
    "host": ["", "evil.test", "[::1", "a b"],
    "x-forwarded-host": ["evil.test"],
    "content-length": ["x", "-1", "99999999999999999999"],
    "accept-encoding": ["gzip, br", "x"],
}  # fmt: skip


def samples() -> list[dict[str, Any]]:
    """Resources of the demo clinic: a few of each type, small ones."""
    found: dict[str, list[dict[str, Any]]] = {}
    for line in bundles()[:3]:
        for entry in json.loads(line)["entry"]:
            resource = entry["resource"]
            if len(json.dumps(resource)) < 5000:
                found.setdefault(resource["resourceType"], []).append(resource)
    return [resource for kind in sorted(found) for resource in found[kind][:4]] + [
        {"resourceType": "Binary", "contentType": "text/plain", "data": "QW5h"},
        {"resourceType": "Basic", "code": {"text": "x"}},
        {"resourceType": "Group", "type": "person", "actual": True,
         "member": [{"entity": {"reference": f"Patient/{name}"}} for name in "ab"]},
        {"resourceType": "Parameters", "parameter": [{"name": "x", "valueString": "y"}]},
    ]  # fmt: skip


class Chance:
    """Everything that is drawn comes from one seed."""

    def __init__(self, seed: int, samples: list[dict[str, Any]], ids: list[str]) -> None:
        self.random = Random(seed)
        self._samples = samples
        self._ids = ids

    def maybe(self, share: float) -> bool:
        return self.random.random() < share

    def one_of(self, values: Any) -> Any:
        return self.random.choice(values)

    def id(self) -> str:
        return self.one_of([*self._ids, *self._ids, "none", "a_b", "x" * 65, "%00", "a.b-c", "é"])

    def type(self) -> str:
        if self.maybe(0.8):
            return self.one_of(self._samples)["resourceType"]
        return self.one_of([*TYPES, "Shoe", "patient", "", "metadata"])

    def strange(self) -> Any:
        return copy.deepcopy(self.one_of(STRANGE))

    def resource(self, *, spoiled: float = 0.6) -> dict[str, Any]:
        made = copy.deepcopy(self.one_of(self._samples))
        if self.maybe(0.5):
            made["id"] = self.one_of(self._ids)
        if self.maybe(spoiled):
            for _ in range(self.random.randint(1, 4)):
                self._spoil(made)
        return made

    def _spoil(self, value: Any) -> None:
        """Changes one place somewhere below."""
        while True:
            keys = list(value) if isinstance(value, dict) else list(range(len(value)))
            if not keys:
                if isinstance(value, dict):
                    value["x"] = self.strange()
                return
            key = self.one_of(keys)
            if isinstance(value[key], dict | list) and self.maybe(0.75):
                value = value[key]
                continue
            self._change(value, key)
            return

    def _change(self, value: Any, key: Any) -> None:
        what = self.random.randrange(6)
        if what == 0:
            del value[key]
        elif what == 1:
            value[key] = [value[key]]
        elif what == 2 and isinstance(value, dict):
            value[self.one_of(["x", "_" + str(key), "", "extension", "id"])] = value.pop(key)
        elif what == 3 and isinstance(value[key], list):
            value[key] = copy.deepcopy(value[key] * 3)
        else:
            value[key] = self.strange()

    def query(self, kind: str) -> list[tuple[str, str]]:
        known = list(search_parameters(kind)) if kind in TYPES else []
        pairs: list[tuple[str, str]] = []
        for _ in range(self.random.choice([0, 1, 1, 1, 2, 3, 6])):
            name = self.one_of(RESULTS if self.maybe(0.35) or not known else known)
            if self.maybe(0.15):
                name += ":" + self.one_of(MODIFIERS)
            if self.maybe(0.15) and known:
                name = self.chain(name, known)
            pairs.append((name, self.value()))
        return pairs

    def chain(self, name: str, known: list[str]) -> str:
        """The parameter at the end of one or two steps, most of which lead somewhere."""
        for _ in range(self.one_of([1, 1, 2, 3])):
            step = self.one_of([*known, "patient", "subject", "general-practitioner"])
            target = self.one_of(["", "", ":Patient", ":Shoe", ":"])
            has = f"_has:{self.one_of(['Observation', 'Encounter', self.type()])}:{step}:"
            name = self.one_of([f"{step}{target}.", has]) + name
        return name

    def patch(self) -> bytes:
        """A JSON Patch, mostly of the right form."""
        operations: list[Any] = []
        for _ in range(self.random.choice([0, 1, 1, 2, 5])):
            made = {"op": self.one_of(["add", "remove", "replace", "move", "copy", "test"]),
                    "path": self.one_of(POINTERS), "from": self.one_of(POINTERS),
                    "value": self.strange()}  # fmt: skip
            if self.maybe(0.1):
                self._spoil(made)
            operations.append(made)
        return as_json(operations)

    def value(self) -> str:
        text = self.one_of(STRANGE)
        if not isinstance(text, str) or self.maybe(0.3):
            text = self.one_of([
                "2026", "ge2020-01-01", "lt2030", "male", "final", "718-7", "http://loinc.org|718-7",
                "|x", "x|", f"Patient/{self.one_of(self._ids)}", self.one_of(self._ids), "ana",
                "Observation:subject", "Patient:general-practitioner", "-date", "date,-_id", "true",
                "7.4", "gt7", "7.4||g/dL", "none", "accurate", "estimate", "count", "text", "data",
                "0", "1", "5", "1000", "-birthdate,family", "Observation:*", "*", "_lastUpdated",
            ])  # fmt: skip
        return (
            ",".join([text] * self.random.choice([1, 1, 1, 2, 3]))
            .encode("utf-8", "replace")
            .decode()
        )

    def body(self) -> bytes:
        if self.maybe(0.1):
            return self.random.randbytes(self.random.randint(0, 300))
        content = as_json(self.strange() if self.maybe(0.1) else self.resource())
        if self.maybe(0.15) and content:
            place = self.random.randrange(len(content))
            content = content[:place] + self.random.randbytes(2) + content[place + 1 :]
        return content

    def bundle(self) -> bytes:
        entries: list[Any] = []
        for _ in range(self.random.choice([0, 1, 2, 5, 12])):
            resource = self.resource(spoiled=0.3)
            kind = resource.get("resourceType")
            method = self.one_of(["POST", "PUT", "PUT", "GET", "DELETE", "HEAD", "PATCH"])
            url = f"{kind}" if method == "POST" else f"{kind}/{resource.get('id', 'none')}"
            by_criteria = self.maybe(0.7 if method == "GET" else 0.15)
            if by_criteria and isinstance(kind, str):
                url = f"{kind}?{urlencode(self.query(kind))}"
            if method == "PATCH":
                data = base64.b64encode(self.patch()).decode()
                resource = {"resourceType": "Binary", "data": data,
                            "contentType": "application/json-patch+json"}  # fmt: skip
            request: dict[str, Any] = {"method": method, "url": url}
            if self.maybe(0.3):
                request["ifNoneExist"] = urlencode(self.query(str(kind)))
            if self.maybe(0.1):
                request["ifMatch"] = self.one_of(HEADERS["if-match"])
            entry = {
                "fullUrl": self.one_of([f"urn:uuid:{self.random.randrange(9)}", url, "x", ""]),
                "resource": resource,
                "request": request,
            }
            if self.maybe(0.1):
                self._spoil(entry)
            entries.append(entry)
        made = {
            "resourceType": "Bundle",
            "type": self.one_of(["transaction", "transaction", "batch", "collection", "x"]),
            "entry": entries,
        }
        if self.maybe(0.1):
            self._spoil(made)
        return as_json(made)

    def lines(self) -> bytes:
        content = [self.body().replace(b"\n", b"") for _ in range(self.random.randint(0, 8))]
        return self.one_of([b"\n", b"\r\n", b"\n\n"]).join(content)

    def request(self) -> dict[str, Any]:
        """Method, address, headers and body for `Door.send`."""
        kind, method = self.type(), self.one_of(METHODS)
        headers = {
            name: self.one_of(values).encode("utf-8")
            for name, values in HEADERS.items()
            if self.maybe(0.06)
        }
        if self.maybe(0.15):
            return {"method": "POST", "path": "/fhir", "content": self.bundle(), "headers": headers}
        path = f"/fhir/{quote(kind, safe='%')}"
        by_criteria = method in ("PUT", "DELETE", "PATCH") and self.maybe(0.15)
        if not by_criteria and (method in ("PUT", "DELETE", "PATCH") or self.maybe(0.4)):
            path += f"/{quote(self.id(), safe='%')}"
        if self.maybe(0.1):
            path += f"/{self.one_of(TAILS)}"
        reads = method in ("GET", "HEAD")
        pairs = self.query(kind) if reads or by_criteria or self.maybe(0.1) else []
        asked = {"method": method, "path": path, "headers": headers}
        if method == "POST" and self.maybe(0.2):
            form = {"content-type": b"application/x-www-form-urlencoded"}
            asked |= {"path": f"/fhir/{kind}/_search", "headers": form | headers}
            return asked | {"content": urlencode(self.query(kind)).encode()}
        if pairs:
            asked["path"] += "?" + urlencode(pairs)
        self._fill(asked, by_criteria=by_criteria)
        return asked

    def _fill(self, asked: dict[str, Any], *, by_criteria: bool) -> None:
        """The body of a write."""
        method = asked["method"]
        if method in ("POST", "PUT", "PATCH"):
            asked["content"] = self.body()
        if method == "PATCH" and self.maybe(0.8):
            asked["content"] = self.patch()
            kind = {"content-type": b"application/json-patch+json"}
            asked["headers"] = kind | asked["headers"]
        if method in ("POST", "PUT") and not by_criteria and self.maybe(0.6):
            # As a client means it: the address fits the body.
            resource = self.resource(spoiled=0.7)
            address = [str(resource.get("resourceType", "x"))]
            address += [str(resource.get("id", "x"))] if method == "PUT" else []
            asked["path"] = "/fhir/" + "/".join(
                quote(part, safe="", errors="replace") for part in address
            )
            asked["content"] = as_json(resource)


def as_json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=True).encode()
