"""Segments in the groups of their message structure: tolerant, and nothing is ever left out.

A structure is a small tree. A segment goes into the innermost open group that knows it, or opens
a group that begins with it; what no group knows (NTE, Z-segments) stays with what it follows.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from polyclinic.standards.hl7v2.segment import Segment


@dataclass(frozen=True)
class Shape:
    """A kind of group: what it begins with (in order, each at most once), holds, and contains.

    One that `leads` is the first in its group: where it begins again, that group does too.
    """

    name: str
    begins: tuple[str, ...] = ()
    holds: frozenset[str] = frozenset()
    inner: tuple["Shape", ...] = ()
    leads: bool = False

    @cached_property
    def first(self) -> frozenset[str]:
        """The segments that may open it, also by opening a group in it."""
        deeper = () if self.leads else (each.first for each in self.inner)
        return frozenset(self.begins).union(*deeper)


@dataclass(slots=True)
class Group:
    """A group as it stands in a message; `segments` are its own, `groups` those in it."""

    name: str
    segments: list[Segment] = field(default_factory=list[Segment])
    groups: list["Group"] = field(default_factory=list["Group"])

    def first(self, name: str) -> Segment | None:
        """Its own first segment of that name."""
        return next((each for each in self.segments if each.name == name), None)

    def own(self, name: str) -> list[Segment]:
        """Its own segments of that name."""
        return [each for each in self.segments if each.name == name]

    def find(self, name: str) -> Iterator["Group"]:
        """Every group of that name in it, at any depth, in the order of the message."""
        waiting = [*reversed(self.groups)]
        while waiting:
            group = waiting.pop()
            if group.name == name:
                yield group
            waiting.extend(reversed(group.groups))

    def everything(self) -> list[Segment]:
        """All segments in it, at any depth, in the order of the message."""
        found, waiting = list(self.segments), list(self.groups)
        while waiting:
            group = waiting.pop()
            found += group.segments
            waiting += group.groups
        return sorted(found, key=lambda segment: segment.index)


def _shape(name: str, begins: str, holds: str = "", *inner: Shape) -> Shape:
    return Shape(name, tuple(begins.split()), frozenset(holds.split()), inner)


_TIMING = _shape("TIMING", "TQ1", "TQ2")
_INSURANCE = _shape("INSURANCE", "IN1", "IN2 IN3 ROL")
_PROCEDURE = _shape("PROCEDURE", "PR1", "ROL")
_OBSERVATION = _shape("OBSERVATION", "OBX", "NTE TCD PRT")
_SPECIMEN = _shape("SPECIMEN", "SPM", "OBX NTE", _shape("CONTAINER", "SAC", "OBX"))
_VISIT = _shape("PATIENT_VISIT", "PV1", "PV2 PRT")
_PATIENT = _shape("PATIENT", "PID", "PD1 NTE NK1 GT1 AL1 ROL PRT", _VISIT, _INSURANCE)

_PATIENT_OF_RESULTS = replace(
    _shape("PATIENT", "PID", "PD1 NTE NK1 ARV PRT", _shape("VISIT", "PV1", "PV2 PRT")), leads=True
)

_HEAD = "MSH SFT UAC EVN"
_ADT = f"{_HEAD} PID PD1 ROL ARV NK1 PV1 PV2 DB1 OBX AL1 DG1 DRG GT1 ACC UB1 UB2 PDA MRG"
_ORDER_DETAIL = _shape(
    "ORDER_DETAIL", "OBR RQD RQ1 RXO ODS ODT", "NTE CTD DG1 RXR RXC", _OBSERVATION
)

_SHAPES = (
    _shape("ADT_A01", "MSH", _ADT, _PROCEDURE, _INSURANCE),
    _shape("ADT_A39", "MSH", _HEAD, _shape("PATIENT", "PID", "PD1 MRG PV1")),
    _shape("ADT_A45", "MSH", f"{_HEAD} PID PD1", _shape("MERGE_INFO", "MRG", "PV1")),
    _shape(
        "ORU_R01", "MSH", f"{_HEAD} DSC",
        _shape(
            "PATIENT_RESULT", "", "",
            _PATIENT_OF_RESULTS,
            _shape(
                "ORDER_OBSERVATION", "ORC OBR", "NTE ROL PRT CTD FT1 CTI",
                _TIMING, _OBSERVATION, _SPECIMEN,
            ),
        ),
    ),
    _shape(
        "ORM_O01", "MSH", f"{_HEAD} NTE", _PATIENT,
        _shape("ORDER", "ORC", "FT1 CTI BLG", _TIMING, _ORDER_DETAIL),
    ),
    _shape(
        "OML_O21", "MSH", f"{_HEAD} NTE", _PATIENT,
        _shape(
            "ORDER", "ORC", "FT1 CTI BLG NTE", _TIMING,
            _shape(
                "OBSERVATION_REQUEST", "OBR", "TCD NTE PRT CTD DG1", _OBSERVATION, _SPECIMEN,
            ),
        ),
    ),
    _shape(
        "DFT_P03", "MSH", f"{_HEAD} PID PD1 ROL PV1 PV2 DB1 DG1 DRG GT1 ACC",
        _shape("COMMON_ORDER", "ORC OBR", "NTE", _TIMING, _OBSERVATION),
        _shape("FINANCIAL", "FT1", "NTE", _shape("FINANCIAL_PROCEDURE", "PR1", "ROL")),
        _INSURANCE,
    ),
    _shape(
        "SIU_S12", "MSH", f"{_HEAD} SCH TQ1 NTE",
        _shape("PATIENT", "PID", "PD1 PV1 PV2 OBX DG1"),
        _shape(
            "RESOURCES", "RGS", "",
            _shape("SERVICE", "AIS", "NTE"), _shape("GENERAL_RESOURCE", "AIG", "NTE"),
            _shape("LOCATION_RESOURCE", "AIL", "NTE"), _shape("PERSONNEL_RESOURCE", "AIP", "NTE"),
        ),
    ),
    _shape(
        "VXU_V04", "MSH", f"{_HEAD} PID PD1 NK1 GT1", _VISIT, _INSURANCE,
        _shape("ORDER", "ORC RXA", "RXR PRT", _TIMING, _OBSERVATION),
    ),
    _shape(
        "MDM_T02", "MSH", f"{_HEAD} PID PV1 TXA CON",
        _shape("COMMON_ORDER", "ORC OBR", "NTE", _TIMING), _OBSERVATION,
    ),
)  # fmt: skip
_BY_NAME = {shape.name: shape for shape in _SHAPES}
_ALSO = {"ADT_A18": "ADT_A39", "ADT_A43": "ADT_A39", "OUL_R22": "ORU_R01", "OMG_O19": "OML_O21"}

# Table 0354 where a structure serves several events.
_SERVES = {
    "ADT_A01": "A01 A04 A08 A13", "ADT_A02": "A02", "ADT_A03": "A03", "ADT_A05": "A05 A14 A28 A31",
    "ADT_A06": "A06 A07", "ADT_A09": "A09 A10 A11", "ADT_A12": "A12", "ADT_A18": "A18",
    "ADT_A21": "A21 A22 A23 A25 A26 A27 A29 A32 A33", "ADT_A30": "A30 A34 A35 A36 A46 A47 A48 A49",
    "ADT_A39": "A39 A40 A41 A42", "ADT_A43": "A43 A44", "ADT_A45": "A45", "ADT_A50": "A50 A51",
    "SIU_S12": "S12 S13 S14 S15 S16 S17 S18 S19 S20 S21 S22 S23 S24 S26 S27",
    "MDM_T01": "T01 T03 T05 T07 T09 T11", "MDM_T02": "T02 T04 T06 T08 T10",
}  # fmt: skip
_STRUCTURES = {
    (structure[:3], event): structure
    for structure, events in _SERVES.items()
    for event in events.split()
}


def structure_of(code: str, event: str) -> str:
    """What MSH-9.3 would say."""
    if code == "ACK" or not event:
        return code
    return _STRUCTURES.get((code, event), f"{code}_{event}")


def _shape_of(structure: str) -> Shape:
    known = _BY_NAME.get(_ALSO.get(structure, structure))
    if known is None and structure.startswith("ADT"):
        known = _BY_NAME["ADT_A01"]
    if known is None and structure.startswith("MDM"):
        known = _BY_NAME["MDM_T02"]
    return known or Shape(structure)


def grouped(structure: str, segments: Sequence[Segment]) -> Group:
    shape = _shape_of(structure)
    root = Group(structure)
    opened = [_Open(shape, root)]
    for segment in segments:
        _place(segment, opened)
        opened[-1].group.segments.append(segment)
    return root


@dataclass(slots=True)
class _Open:
    """A group that is being filled; `begun` says how far in `begins` it is."""

    shape: Shape
    group: Group
    begun: int = -1

    def takes(self, name: str) -> bool:
        if name not in self.shape.begins:
            return name in self.shape.holds
        at = self.shape.begins.index(name)
        if at <= self.begun:
            return False
        self.begun = at
        return True


def _place(segment: Segment, opened: list[_Open]) -> None:
    """Closes and opens groups so that the last open one is the segment's."""
    name = segment.name
    for depth in range(len(opened) - 1, -1, -1):
        here = opened[depth]
        if here.takes(name):
            del opened[depth + 1 :]
            return
        inner = _opening(here.shape, name)
        if inner is not None and not (inner.leads and here.group.groups):
            del opened[depth + 1 :]
            _open(opened, inner, name)
            return


def _opening(shape: Shape, name: str) -> Shape | None:
    return next((inner for inner in shape.inner if name in inner.first), None)


def _open(opened: list[_Open], shape: Shape | None, name: str) -> None:
    while shape is not None:
        group = Group(shape.name)
        opened[-1].group.groups.append(group)
        opened.append(_Open(shape, group))
        if opened[-1].takes(name):
            return
        shape = _opening(shape, name)
