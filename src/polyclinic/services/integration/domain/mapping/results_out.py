"""A result as OBX: the type of its value, and what is said beside it."""

from collections.abc import Callable, Mapping
from typing import Any

from polyclinic.services.integration.domain.mapping import ucum, wording
from polyclinic.services.integration.domain.mapping.wording import Names, put, put_concept
from polyclinic.standards.hl7v2 import Segment


def put_result(obx: Segment, observation: Mapping[str, Any], names: Names) -> None:
    """All of OBX but its number."""
    put_concept(obx, "3", observation.get("code"))
    _put_value(obx, observation)
    for each in observation.get("referenceRange", ())[:1]:
        put(obx, "7", each.get("text") or _range(each))
    for number, each in enumerate(observation.get("interpretation", ()), 1):
        put_concept(obx, f"8[{number}]", each, "Interpretation")
    put(obx, "11", wording.code("ObservationStatus", observation.get("status"), "I"))
    put(obx, "14", wording.moment(observation.get("effectiveDateTime")))
    for number, each in enumerate(observation.get("performer", ()), 1):
        wording.put_party(obx, f"16[{number}]", each, names)
    put_concept(obx, "17", observation.get("method"))
    put_concept(obx, "20", observation.get("bodySite"))


def _put_value(obx: Segment, observation: Mapping[str, Any]) -> None:
    for element, (kind, write) in _VALUES.items():
        if element in observation:
            put(obx, "2", kind)
            write(obx, observation[element])
            return
    if "valueQuantity" in observation:
        _put_quantity(obx, observation["valueQuantity"])
    elif "valueRange" in observation:
        _put_pair(obx, observation["valueRange"], ("low", "-", "high"))
    elif "valueRatio" in observation:
        _put_pair(obx, observation["valueRatio"], ("numerator", ":", "denominator"))


def _put_quantity(obx: Segment, value: Mapping[str, Any]) -> None:
    """NM, or SN where there is a comparator."""
    comparator = value.get("comparator")
    put(obx, "2", "SN" if comparator else "NM")
    put(obx, "5.1", comparator)
    put(obx, "5.2" if comparator else "5", value.get("value"))
    _put_unit(obx, value)


def _put_pair(obx: Segment, value: Mapping[str, Any], parts: tuple[str, str, str]) -> None:
    """SN of two numbers."""
    first, mark, second = parts
    put(obx, "2", "SN")
    put(obx, "5.2", value.get(first, {}).get("value"))
    put(obx, "5.3", mark)
    put(obx, "5.4", value.get(second, {}).get("value"))
    _put_unit(obx, value.get(first, {}))


def _put_unit(obx: Segment, value: Mapping[str, Any]) -> None:
    is_ucum = value.get("system") == ucum.SYSTEM
    put(obx, "6.1", value.get("code") if is_ucum else value.get("unit"))
    if is_ucum:
        put(obx, "6.2", value.get("unit"))
        put(obx, "6.3", "UCUM")


def _put_period(obx: Segment, value: Mapping[str, Any]) -> None:
    put(obx, "5.1", wording.moment(value.get("start")))
    put(obx, "5.2", wording.moment(value.get("end")))


def _put_time(obx: Segment, value: Any) -> None:
    put(obx, "5", str(value).replace(":", ""))


_VALUES: Mapping[str, tuple[str, Callable[[Segment, Any], None]]] = {
    "valueString": ("TX", lambda obx, value: put(obx, "5", value)),
    "valueCodeableConcept": ("CWE", lambda obx, value: put_concept(obx, "5", value)),
    "valueDateTime": ("DTM", lambda obx, value: put(obx, "5", wording.moment(value))),
    "valueTime": ("TM", _put_time),
    "valuePeriod": ("DR", _put_period),
    "valueInteger": ("NM", lambda obx, value: put(obx, "5", value)),
    "valueBoolean": ("ID", lambda obx, value: put(obx, "5", "Y" if value else "N")),
}


def _range(value: Mapping[str, Any]) -> str:
    low, high = value.get("low", {}).get("value"), value.get("high", {}).get("value")
    if low is not None and high is not None:
        return f"{low}-{high}"
    return f">={low}" if low is not None else f"<={high}" if high is not None else ""
