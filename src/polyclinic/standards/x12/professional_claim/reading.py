"""Claims are read from 837P: one that cannot be read is refused alone, with its place."""

from dataclasses import dataclass

from polyclinic.standards.x12.assembly import Transaction
from polyclinic.standards.x12.elements import readable
from polyclinic.standards.x12.envelope import good_transactions, parse_all, refusals
from polyclinic.standards.x12.loops import need, need_element, refuse_unknown, split, starts_with
from polyclinic.standards.x12.professional_claim.reading_claim import read_claim
from polyclinic.standards.x12.professional_claim.reading_people import (
    Treated,
    read_billing_provider,
    read_patient,
    read_subscriber,
)
from polyclinic.standards.x12.professional_claim.values import (
    BillingProvider,
    Claim,
    ClaimBatch,
    Receiver,
    Submitter,
)
from polyclinic.standards.x12.refused import Refused
from polyclinic.standards.x12.tokens import Segment, Separators

GUIDES = frozenset(("005010X222A1", "005010X222A2", "005010X222"))
_KNOWN = frozenset((
    "ST", "BHT", "NM1", "N3", "N4", "PER", "HL", "PRV", "CUR", "REF", "SBR", "PAT", "DMG", "CLM",
    "DTP", "PWK", "CN1", "AMT", "K3", "NTE", "CR1", "CR2", "CR3", "CRC", "HI", "HCP", "CAS", "OI",
    "MOA", "LX", "SV1", "SV5", "QTY", "MEA", "PS1", "LIN", "CTP", "SVD", "LQ", "FRM", "SE",
))  # fmt: skip


@dataclass(frozen=True, slots=True)
class ReadClaims:
    """The good claims, a batch for each transaction that could be opened; and all refusals."""

    batches: tuple[ClaimBatch, ...]
    refused: tuple[Refused, ...]


def read_claims(data: bytes) -> ReadClaims:
    """Refused only where there is no envelope; all else that is wrong stands in `refused`."""
    batches: list[ClaimBatch] = []
    refused: list[Refused] = []
    for interchange in parse_all(data):
        refused.extend(refusals(interchange))
        for group, transaction in good_transactions(interchange):
            reading = _Reading(interchange.separators)
            try:
                _check_guide(transaction, group.version)
                batches.append(reading.batch(transaction.segments))
            except Refused as fault:
                refused.append(fault)
            refused.extend(reading.refused)
    return ReadClaims(tuple(batches), tuple(refused))


def _check_guide(transaction: Transaction, version: str) -> None:
    head = transaction.segments[0]
    if transaction.set_id != "837":
        raise head.refused(1, "IK502-1", "The transaction is no 837.")
    if version not in GUIDES or (transaction.convention or version) not in GUIDES:
        raise head.refused(3, "IK502-I6", "The claim follows another guide than 005010X222A1.")


class _Reading:
    """One transaction being read; who was named last holds for the claims that follow."""

    def __init__(self, separators: Separators) -> None:
        self.refused: list[Refused] = []
        self._separators = separators
        self._claims: list[Claim] = []
        self._levels = 0
        self._numbers: dict[str, str] = {}  # of the last level of each kind
        self._provider: BillingProvider | Refused | None = None
        self._subscriber: Treated | Refused | None = None
        self._treated: Treated | Refused | None = None

    def batch(self, segments: tuple[Segment, ...]) -> ClaimBatch:
        header, levels = split(segments[:-1], starts_with("HL"))
        refuse_unknown(header, _KNOWN)
        start = need(header, "BHT", after=segments[0])
        sender = need(header, "NM1", "41", after=start)
        contact = need(header, "PER", after=sender)
        receiver = need(header, "NM1", "40", after=contact)
        if not levels:
            text = "The transaction holds no hierarchical level."
            raise Refused("HL", 0, receiver.position, "IK304-3", text)
        for level in levels:
            self._level(level)
        return ClaimBatch(
            Submitter(
                readable(sender[3]), need_element(sender, 9), readable(contact[2]), contact[4]
            ),
            Receiver(readable(receiver[3]), need_element(receiver, 9)),
            start[3],
            tuple(self._claims),
        )

    def _level(self, level: list[Segment]) -> None:
        people, claims = split(level, starts_with("CLM"))
        head = level[0]
        try:
            self._number(head)
            self._people(head, people)
        except Refused as fault:
            self._spoil(head[3], fault)
        for run in claims:
            self._claim(run)

    def _number(self, head: Segment) -> None:
        """HL01 counts the levels, HL02 names the level above."""
        self._levels += 1
        above = {"20": "", "22": self._numbers.get("20"), "23": self._numbers.get("22")}
        if head[1] != str(self._levels):
            raise head.refused(1, "IK403-7", "The levels are not numbered one after the other.")
        if head[2] != above.get(head[3], ""):
            raise head.refused(2, "IK403-7", "The level names another parent than it stands below.")
        self._numbers[head[3]] = head[1]

    def _people(self, head: Segment, people: list[Segment]) -> None:
        refuse_unknown(people, _KNOWN)
        if head[3] == "20":
            self._subscriber = self._treated = None
            self._provider = read_billing_provider(people)
        elif head[3] == "22":
            self._treated = None
            self._subscriber = read_subscriber(people)
            self._treated = self._subscriber
        elif head[3] == "23":
            if isinstance(self._subscriber, Treated):
                self._treated = read_patient(people, self._subscriber)
        else:
            raise head.refused(3, "IK403-7", "A level is a provider, a subscriber or a patient.")

    def _spoil(self, level: str, fault: Refused) -> None:
        """The level cannot be read, so no claim below it can."""
        self.refused.append(fault)
        if level == "20":
            self._provider = fault
        elif level == "22":
            self._subscriber = self._treated = fault
        else:
            self._treated = fault

    def _claim(self, run: list[Segment]) -> None:
        head = run[0]
        try:
            refuse_unknown(run, _KNOWN)
            for above in (self._provider, self._subscriber, self._treated):
                if isinstance(above, Refused):
                    text = f"A level above cannot be read: {above.text}"
                    raise head.refused(0, above.code, text)
            if not isinstance(self._provider, BillingProvider) or not isinstance(
                self._treated, Treated
            ):
                raise head.refused(0, "IK304-7", "The claim stands below no subscriber.")
            self._claims.append(read_claim(run, self._provider, self._treated, self._separators))
        except Refused as fault:
            fault.claim_id = fault.claim_id or head[1][:20]
            self.refused.append(fault)
