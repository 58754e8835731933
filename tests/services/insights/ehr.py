"""A small EHR: signs its calls with ES384, sends prefetch, and tells what became of cards."""

import json
import time
import uuid
from pathlib import Path
from typing import Any

from joserfc import jws
from joserfc.jwk import ECKey, OctKey, RSAKey

ISSUER = "https://ehr.test"
BASE = "http://clinic.test"
RISKS = "polyclinic-risks"
Json = dict[str, Any]


class Ehr:
    """Its key pair, and the file by which the clinic knows it."""

    def __init__(self) -> None:
        self.key = ECKey.generate_key("P-384", {"kid": "k1"})
        self.rsa = RSAKey.generate_key(2048, {"kid": "r1"})

    def listed(self, folder: Path) -> Path:
        keys = [{**each.as_dict(private=False), "kid": kid}
                for each, kid in ((self.key, "k1"), (self.rsa, "r1"))]  # fmt: skip
        file = folder / "issuers.json"
        file.write_text(json.dumps({ISSUER: {"jwks": {"keys": keys}}}))
        return file

    def proof(
        self, path: str, *, header: Json | None = None, key: Any = None, **claims: Any
    ) -> str:
        now = int(time.time())
        said = {"iss": ISSUER, "aud": BASE + path, "iat": now, "exp": now + 60,
                "jti": uuid.uuid4().hex} | claims  # fmt: skip
        head = {"alg": "ES384", "typ": "JWT", "kid": "k1"} | (header or {})
        body = json.dumps({k: v for k, v in said.items() if v is not None}).encode()
        return jws.serialize_compact(
            head, body, key or self.key, registry=jws.JWSRegistry(algorithms=[head["alg"]],
                                                                  strict_check_header=False)
        )  # fmt: skip


def secret() -> OctKey:
    return OctKey.import_key("x" * 48)


def call(patient: Json, *resources: Json, hook: str = "patient-view", **more: Any) -> Json:
    """A call with everything sent along."""
    by_key = {"observations": "Observation", "conditions": "Condition",
              "medications": "MedicationRequest", "encounters": "Encounter",
              "statements": "MedicationStatement", "questionnaires": "QuestionnaireResponse",
              "lists": "List"}  # fmt: skip
    prefetch: Json = {"patient": patient}
    for key, kind in by_key.items():
        found = [{"resource": each} for each in resources if each["resourceType"] == kind]
        bundle = {"resourceType": "Bundle", "type": "searchset", "entry": found}
        prefetch[key] = bundle if found else None
    return {
        "hook": hook,
        "hookInstance": str(uuid.uuid4()),
        "context": {"userId": "Practitioner/eve", "patientId": patient["id"]},
        "prefetch": prefetch,
    } | more
