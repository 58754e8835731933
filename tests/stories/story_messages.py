"""A hospital's system: speaks HL7 v2 by MLLP over a real socket, and over HTTP."""

import itertools
import socket
import uuid
from typing import Any

from story_clinic import Clinic, until

from polyclinic.standards.hl7v2 import Message, parse
from polyclinic.standards.hl7v2.mllp import Unframer, frame

REGISTER = "urn:oid:2.999.5.1"
# Each way in has a channel of its own: by HTTP a token says who it is, by MLLP the message does.
CHANNELS = """
name: story-{source}
source: {source}
accepts: [ADT, SIU, ORU, DFT]
senders:
  - {{application: {application}, facility: WEST}}
systems: {{WEST: "urn:oid:2.999.5.1"}}
"""
DOCTOR = "D1^Ruiz^Ana^^^Dr.^^^WEST"
RESTING = ("done", "waiting", "parked", "ignored", "skipped")


class Hospital:
    """Its messages to one clinic; every one has a control id that no other has."""

    def __init__(self, clinic: Clinic) -> None:
        self.clinic, self.mark = clinic, uuid.uuid4().hex[:8].upper()
        self.system = clinic.api(clinic.token())
        self._controls = itertools.count(1)
        for source, application in (("mllp", "HIS"), ("http", "LAB")):
            text = CHANNELS.format(source=source, application=application)
            if source == "http":
                text += "clients: [story]\n"
            deployed = self.system.post("/integration/channels", content=text.encode())
            assert deployed.is_success, deployed.text

    def raw(self, trigger: str, *lines: str, at: str, application: str = "HIS") -> bytes:
        control = f"{self.mark}{next(self._controls)}"
        head = f"MSH|^~\\&|{application}|WEST|POLY|CLINIC|{at}||{trigger}|{control}|P|2.5.1"
        event = () if trigger[:3] in ("SIU", "ORU") else (f"EVN||{at}",)
        return "\r".join((head, *event, *lines, "")).encode()

    def by_mllp(self, content: bytes) -> Message:
        with socket.create_connection(("127.0.0.1", self.clinic.mllp_port), timeout=30) as line:
            line.sendall(frame(content))
            unframer = Unframer()
            while piece := line.recv(65536):
                for each in unframer.feed(piece):
                    return parse(each.payload)
        raise AssertionError("the line was closed without an acknowledgement")

    def by_http(self, content: bytes) -> Message:
        answer = self.system.post(
            "/integration/channels/story-http/messages",
            content=content,
            headers={"content-type": "application/hl7-v2"},
        )
        assert answer.status_code == 200, (answer.status_code, answer.text)
        return parse(answer.content)

    def send(self, content: bytes) -> None:
        """By the way that its channel names; it must be accepted."""
        said = self.by_mllp(content) if b"|HIS|" in content else self.by_http(content)
        assert (said.get("MSA-1"), said.get("MSA-2")) == ("AA", parse(content).control_id)

    def rested(self, content: bytes, seconds: float = 30) -> dict[str, Any]:
        """What became of a message once nobody works on it any more."""
        control = parse(content).control_id

        def looked() -> dict[str, Any] | None:
            answer = self.system.get("/integration/messages", params={"control": control})
            assert answer.status_code == 200, answer.text
            [message] = answer.json()["messages"]
            return message if message["state"] in RESTING else None

        found = until(looked, seconds, f"the end of message {control}")
        whole = self.system.get(f"/integration/messages/{found['id']}")
        assert whole.status_code == 200, whole.text
        return whole.json()

    def done(self, content: bytes) -> list[str]:
        """Sends a message and answers what it did, as `created Patient`."""
        self.send(content)
        found = self.rested(content)
        assert found["state"] == "done", (found["state"], found["reason"], found["problem"])
        return sorted(f"{e['did']} {e['name'].partition('/')[0]}" for e in found["effects"])

    def found(self, search: str) -> list[dict[str, Any]]:
        answer = self.system.get(f"/fhir/{search}")
        assert answer.status_code == 200, answer.text
        return [each["resource"] for each in answer.json().get("entry", ())]
