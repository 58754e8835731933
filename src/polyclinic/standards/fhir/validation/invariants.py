"""The invariants of R4 that are checked beyond structure, by the type that they belong to.

ele-1, dom-2 to dom-5, ref-1 and txt-1, txt-2 stand with the structures. The others here take
values whose shape may be wrong: what is not of the expected shape has been complained of already.
"""

from collections.abc import Callable, Mapping
from typing import Any

from polyclinic.standards.fhir.dates import date_range
from polyclinic.standards.fhir.validation.findings import Findings, Where

Rule = Callable[[dict[str, Any], Where, Findings], None]


def _extension(value: dict[str, Any], where: Where, found: Findings) -> None:
    """ext-1"""
    has_value = any(key.startswith(("value", "_value")) for key in value)
    if has_value == ("extension" in value):
        text = "ext-1: An extension has either a value or extensions of its own."
        found.add("invariant", where, text)


def _with(name: str, needed: str, rule: str) -> Rule:
    def check(value: dict[str, Any], where: Where, found: Findings) -> None:
        if name in value and needed not in value and f"_{needed}" not in value:
            found.add("invariant", where, f"{rule}: With {name} there is also {needed}.")

    return check


def _any_of(names: tuple[str, ...], rule: str) -> Rule:
    def check(value: dict[str, Any], where: Where, found: Findings) -> None:
        if not any(name in value or f"_{name}" in value for name in names):
            found.add("invariant", where, f"{rule}: There is at least one of {', '.join(names)}.")

    return check


def _period(value: dict[str, Any], where: Where, found: Findings) -> None:
    """per-1"""
    start, end = value.get("start"), value.get("end")
    if type(start) is not str or type(end) is not str:
        return
    if len(start) == len(end) and start[19:] == end[19:] and start <= end:
        return  # the usual case, without reading the dates
    try:
        ends_before = date_range(start)[0] >= date_range(end)[1]
    except ValueError:
        return
    if ends_before:
        found.add("invariant", where, "per-1: A period does not end before it starts.")


def _has_value(value: dict[str, Any]) -> bool:
    return any(key.startswith(("value", "_value")) for key in value)


def _absent_reason(value: dict[str, Any], where: Where, found: Findings) -> None:
    """obs-6"""
    if "dataAbsentReason" in value and _has_value(value):
        text = "obs-6: A reason for absent data stands only where there is no value."
        found.add("invariant", where, text)


def _observation(value: dict[str, Any], where: Where, found: Findings) -> None:
    """obs-7"""
    if "component" not in value or not _has_value(value):
        return
    own = _codings(value.get("code"))
    for one in _objects(value["component"]):
        if own & _codings(one.get("code")):
            text = "obs-7: With the code of one of its components it has no value of its own."
            found.add("invariant", where, text)
            return


def _codings(concept: Any) -> set[tuple[str, str]]:
    codings = concept.get("coding") if type(concept) is dict else None
    return {(str(c.get("system")), str(c["code"])) for c in _objects(codings) if "code" in c}


def _objects(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if type(one) is dict] if type(value) is list else []


def _condition(value: dict[str, Any], where: Where, found: Findings) -> None:
    """con-4 and con-5"""
    clinical = {code for _, code in _codings(value.get("clinicalStatus"))}
    verification = {code for _, code in _codings(value.get("verificationStatus"))}
    if "entered-in-error" in verification and "clinicalStatus" in value:
        text = "con-5: What was entered in error has no clinical status."
        found.add("invariant", (where, "clinicalStatus", None), text)
    abated = any(key.startswith("abatement") for key in value)
    if abated and not clinical & {"resolved", "remission", "inactive"}:
        text = "con-4: With an abatement the clinical status is inactive, resolved or remission."
        found.add("invariant", (where, "clinicalStatus", None), text)


def _allergy(value: dict[str, Any], where: Where, found: Findings) -> None:
    """ait-1 and ait-2"""
    verification = {code for _, code in _codings(value.get("verificationStatus"))}
    if "entered-in-error" in verification:
        if "clinicalStatus" in value:
            text = "ait-2: What was entered in error has no clinical status."
            found.add("invariant", (where, "clinicalStatus", None), text)
    elif "clinicalStatus" not in value:
        text = "ait-1: There is a clinical status, unless it was entered in error."
        found.add("invariant", (where, "clinicalStatus", None), text)


def _parameter(value: dict[str, Any], where: Where, found: Findings) -> None:
    """inv-1 of Parameters"""
    if _has_value(value) + ("resource" in value) + ("part" in value) != 1:
        text = "inv-1: A parameter has one of value, resource and part."
        found.add("invariant", where, text)


_REQUESTS = frozenset({"batch", "transaction", "history"})
_RESPONSES = frozenset({"batch-response", "transaction-response", "history"})


def _bundle(value: dict[str, Any], where: Where, found: Findings) -> None:
    """bdl-1 to bdl-4 and bdl-7"""
    kind = value.get("type")
    if "total" in value and kind not in ("searchset", "history"):
        text = "bdl-1: Only a search or a history has a total."
        found.add("invariant", (where, "total", None), text)
    entries = value.get("entry")
    seen: set[tuple[str, str]] = set()
    for index, one in enumerate(entries if type(entries) is list else []):
        if type(one) is dict:
            place: Where = (where, "entry", index)
            _entry_of(str(kind), one, place, found)
            if kind != "history":
                _check_unique(one, seen, place, found)


def _entry_of(kind: str, entry: dict[str, Any], where: Where, found: Findings) -> None:
    for rule, name, kinds in (
        ("bdl-2", "search", frozenset({"searchset"})),
        ("bdl-3", "request", _REQUESTS),
        ("bdl-4", "response", _RESPONSES),
    ):
        if name in entry and kind not in kinds:
            found.add("invariant", (where, name, None), f"{rule}: A {kind} has no {name}.")
        elif name not in entry and kind in kinds and name != "search":
            found.add("invariant", where, f"{rule}: Each entry of a {kind} has a {name}.")


def _check_unique(
    entry: dict[str, Any], seen: set[tuple[str, str]], where: Where, found: Findings
) -> None:
    url, resource = entry.get("fullUrl"), entry.get("resource")
    if type(url) is not str:
        return
    meta = resource.get("meta") if type(resource) is dict else None
    version = str(meta.get("versionId", "")) if type(meta) is dict else ""
    if (url, version) in seen:
        text = "bdl-7: Two entries with the same fullUrl differ in meta.versionId."
        found.add("invariant", (where, "fullUrl", None), text)
    seen.add((url, version))


def _entry(value: dict[str, Any], where: Where, found: Findings) -> None:
    """bdl-5 and bdl-8"""
    if not value.keys() & {"resource", "request", "response"}:
        text = "bdl-5: An entry has a resource, unless it has a request or response."
        found.add("invariant", where, text)
    url = value.get("fullUrl")
    if type(url) is str and "/_history/" in url:
        text = "bdl-8: A fullUrl names no version."
        found.add("invariant", (where, "fullUrl", None), text)


_QUANTITY = (_with("code", "system", "qty-3"),)

RULES: Mapping[str, tuple[Rule, ...]] = {
    "Age": _QUANTITY,
    "AllergyIntolerance": (_allergy,),
    "Attachment": (_with("data", "contentType", "att-1"),),
    "Bundle": (_bundle,),
    "Bundle.entry": (_entry,),
    "Condition": (_condition,),
    "ContactPoint": (_with("value", "system", "cpt-2"),),
    "Count": _QUANTITY,
    "Distance": _QUANTITY,
    "Duration": _QUANTITY,
    "Extension": (_extension,),
    "Observation": (_absent_reason, _observation),
    "Observation.component": (_absent_reason,),
    "Observation.referenceRange": (_any_of(("low", "high", "text"), "obs-3"),),
    "Parameters.parameter": (_parameter,),
    "Patient.contact": (_any_of(("name", "telecom", "address", "organization"), "pat-1"),),
    "Period": (_period,),
    "Quantity": _QUANTITY,
}
