"""Names of what messages speak of: the same number of a sender is the same thing for ever."""

import uuid

NAMESPACE = uuid.UUID("7d1f3f0e-58b7-4a0c-8a57-3f0b0c9d8a42")  # ours
PERSON = "#Patient"


def document_id(kind: str, key: str) -> str:
    """The id under which a document of a sender is kept; the key names its system, too."""
    return str(uuid.uuid5(NAMESPACE, f"{kind}|{key}"))


def person_id(system: str, value: str) -> str:
    """The id of a person who is new here, by the number that named them first."""
    return str(uuid.uuid5(NAMESPACE, f"Patient|{system}|{value}"))


def nameless_id(message: uuid.UUID) -> str:
    """The id of a person who came without any number."""
    return str(uuid.uuid5(NAMESPACE, f"Patient|message|{message}"))


def witness_id(message: uuid.UUID, part: str) -> str:
    """The id of the Provenance that is kept with what a message did: where it is, it was done."""
    return str(uuid.uuid5(NAMESPACE, f"Provenance|{message}|{part}"))


def place_of(reference: str) -> tuple[str, str] | None:
    """Kind and key of a placeholder such as `#Encounter/V1`; none of anything else."""
    if not reference.startswith("#") or "/" not in reference:
        return None
    kind, _, key = reference[1:].partition("/")
    return kind, key
