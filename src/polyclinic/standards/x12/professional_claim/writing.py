"""Claims are written as 837P: text cleaned, loops nested, at most 5,000 in a transaction."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import count, groupby, islice

from polyclinic.standards.x12.elements import need_code, need_text, segment
from polyclinic.standards.x12.envelope import Envelope, wrap, write
from polyclinic.standards.x12.professional_claim import people
from polyclinic.standards.x12.professional_claim.checks import batch_faults, claim_faults
from polyclinic.standards.x12.professional_claim.claim_loop import claim_segments
from polyclinic.standards.x12.professional_claim.values import Claim, ClaimBatch
from polyclinic.standards.x12.refused import Refused
from polyclinic.standards.x12.tokens import Segment

GUIDE = "005010X222A1"
CLAIMS_MAX = 5000  # in one transaction, as the guide asks
CLAIMS_OF_A_PERSON_MAX = 100  # loop 2300 repeats so often


def write_claims(envelope: Envelope, batch: ClaimBatch) -> bytes:
    """The file of these claims, in their order. Refused, with the claim's id, at the first fault.

    Ask `claim_faults` first: one bad claim refuses the file, for a file is sent whole.
    """
    for fault in batch_faults(batch):
        raise fault
    for claim in batch.claims:
        for fault in claim_faults(claim):
            raise fault
    bodies = [
        [*_header(envelope.made_at, batch, place), *_Levels().of(claims)]
        for place, claims in enumerate(_chunks(batch.claims, CLAIMS_MAX), 1)
    ]
    return write(wrap(envelope, "HC", GUIDE, bodies))


def unwritable(claim: Claim) -> Refused | None:
    """What keeps a claim without `claim_faults` from being written: characters and lengths."""
    try:
        for _ in _Levels().of([claim]):
            pass
    except Refused as refused:
        return refused
    return None


def _header(made_at: datetime, batch: ClaimBatch, place: int) -> Iterator[Segment]:
    reference = batch.reference if place == 1 else f"{batch.reference}-{place}"
    reference = need_code(reference, 50, "BHT", 3)
    yield segment("ST", "837", "", GUIDE)
    yield segment("BHT", "0019", "00", reference, f"{made_at:%Y%m%d}", f"{made_at:%H%M}", "CH")
    submitter, receiver = batch.submitter, batch.receiver
    yield people.organisation("41", submitter.name, "46", submitter.id)
    contact = need_text(submitter.contact, 60, "PER", 2)
    yield segment("PER", "IC", contact, "TE", submitter.telephone)
    yield people.organisation("40", receiver.name, "46", receiver.id)


class _Levels:
    """The hierarchy of provider, subscriber, patient: neighbours that share one share its loop."""

    def __init__(self) -> None:
        self._numbers = count(1)

    def of(self, claims: Iterable[Claim]) -> Iterator[Segment]:
        for provider, members in groupby(claims, lambda claim: claim.billing_provider):
            number = next(self._numbers)
            several = list(members)
            with _naming(several[0]):
                yield segment("HL", str(number), "", "20", "1")
                yield from people.billing_provider(provider)
            for _, of_subscriber in groupby(several, _subscriber_key):
                for some in _chunks(of_subscriber, CLAIMS_OF_A_PERSON_MAX):
                    yield from self._subscriber_level(number, some)

    def _subscriber_level(self, parent: int, claims: list[Claim]) -> Iterator[Segment]:
        number, first = next(self._numbers), claims[0]
        yield segment("HL", str(number), str(parent), "22", "0" if first.patient is None else "1")
        with _naming(first):
            yield from people.subscriber(first)
        for patient, members in groupby(claims, lambda claim: claim.patient):
            several = list(members)
            if patient is not None:
                yield segment("HL", str(next(self._numbers)), str(number), "23", "0")
                with _naming(several[0]):
                    yield from people.patient(patient)
            for claim in several:
                with _naming(claim):
                    yield from claim_segments(claim)


class _naming:  # noqa: N801 - reads as a word in a with statement
    """A refusal inside says which claim it is about."""

    def __init__(self, claim: Claim) -> None:
        self._claim = claim

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, fault: object, _trace: object) -> None:
        if isinstance(fault, Refused):
            fault.claim_id = self._claim.claim_id


def _subscriber_key(claim: Claim) -> tuple[object, ...]:
    return claim.subscriber, claim.payer, claim.payer_sequence, claim.patient is None


def _chunks(claims: Iterable[Claim], size: int) -> Iterator[list[Claim]]:
    rest = iter(claims)
    while chunk := list(islice(rest, size)):
        yield chunk
