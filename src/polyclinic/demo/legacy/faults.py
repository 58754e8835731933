"""What can be switched wrong: each fault changes one kind of answer, or loses one kind of write.

A copy of the clinic with a fault on stands for a replacement with a bug. How bad each one is
stands in truth.yaml.
"""

from collections.abc import Callable
from typing import Any

Json = Any
Fault = Callable[[Json], Json]


def _first(items: list[Json], wanted: Callable[[Json], bool]) -> Json:
    return next(filter(wanted, items), None)


def _edit(items: str, wanted: Callable[[Json], bool], change: Callable[[Json], object]) -> Fault:
    """Changes the first one of a list that fits."""

    def fault(value: Json) -> Json:
        if (found := _first(value[items], wanted)) is not None:
            change(found)
        return value

    return fault


def _drop(items: str, wanted: Callable[[Json], bool]) -> Fault:
    """Leaves the first one of a list out that fits."""

    def fault(value: Json) -> Json:
        found = _first(value[items], wanted)
        value[items] = [each for each in value[items] if each is not found]
        return value

    return fault


def _put(**values: Json) -> Callable[[Json], object]:
    return lambda found: found.update(values)


def _set(**values: Json) -> Fault:
    return lambda value: {**value, **values}


def _map(name: str, change: Callable[[Json], Json]) -> Callable[[Json], object]:
    return lambda found: found.update({name: change(found[name])})


def _whole(change: Callable[[Json], object]) -> Fault:
    def fault(value: Json) -> Json:
        change(value)
        return value

    return fault


def _any(_: Json) -> bool:
    return True


def _is(name: str, value: Json) -> Callable[[Json], bool]:
    return lambda found: found[name] == value


def _is_number(found: Json) -> bool:
    return found["Value"].replace(".", "", 1).isdigit()


def _glucose_in_mmol(value: Json) -> Json:
    """The same result in the other unit, and it says so."""
    for each in value["results"]:
        if each["Test"] == "GLU" and _is_number(each):
            each["Value"] = f"{float(each['Value']) / 18.016:.2f}"
            each["Units"] = "mmol/L"
            low, _, high = each["RefRange"].partition("-")
            each["RefRange"] = f"{float(low) / 18.016:.1f}-{float(high) / 18.016:.1f}"
    return value


def _weight_in_kg(value: Json) -> Json:
    for each in value["vitals"]:
        each["WeightKg"] = round(each.pop("WeightLb") * 0.45359237, 2)
    return value


def _shift_day(text: str) -> str:
    month, day, year = text.split("/")
    return f"{month}/{int(day) % 28 + 1:02}/{year}"


def _hour_later(text: str) -> str:
    day, clock, half = text.split(" ")
    hour, minute = clock.split(":")
    return f"{day} {int(hour) % 12 + 1}:{minute} {half}"


def _next_day(text: str) -> str:
    day, _, rest = text.partition(" ")
    return f"{_shift_day(day)} {rest}"


def _swap_pressure(found: Json) -> None:
    found["BPSys"], found["BPDia"] = found["BPDia"], found["BPSys"]


_allergy, _med, _lab, _patient = "allergies", "meds", "results", "patient"
_DASHES = _whole(_map("DOB", lambda text: "-".join(text.split("/"))))

# Name → the kind of answer it spoils, and how. A kind `…!` is a write that is said to be done.
FAULTS: dict[str, tuple[str, Fault]] = {
    "allergy-dropped": (_allergy, _drop("allergies", _is("Status", "A"))),
    "allergy-milder": (
        _allergy,
        _edit("allergies", lambda a: a["Severity"] != "MILD", _put(Severity="MILD")),
    ),
    "allergy-other-substance": (_allergy, _edit("allergies", _any, _put(Substance="Pollen"))),
    "allergy-revived": (_allergy, _edit("allergies", _is("Status", "I"), _put(Status="A"))),
    "allergy-none-known": (_allergy, _set(NKA=True, allergies=[])),
    "allergy-other-patient": (f"{_allergy}?", _whole(_any)),
    "allergy-reaction-lost": (_allergy, _edit("allergies", _any, _put(Reaction=None))),
    "allergy-not-kept": ("allergy!", _whole(_any)),
    "med-missing": (_med, _drop("meds", _is("Status", "ACTIVE"))),
    "med-tenfold": (_med, _edit("meds", _any, _map("Dose", lambda dose: f"{dose}0"))),
    "med-mcg-for-mg": (_med, _edit("meds", _is("DoseUnit", "mg"), _put(DoseUnit="mcg"))),
    "med-more-often": (_med, _edit("meds", lambda m: m["Freq"] != "QID", _put(Freq="QID"))),
    "med-other-route": (_med, _edit("meds", _is("Route", "PO"), _put(Route="IV"))),
    "med-stopped-shown-active": (
        _med, _edit("meds", _is("Status", "STOPPED"), _put(Status="ACTIVE"))
    ),
    "med-other-drug": (_med, _edit("meds", _any, _put(Drug="Lisinopril-HCTZ", RxNorm="197885"))),
    "med-not-kept": ("med!", _whole(_any)),
    "lab-wrong-unit": (
        _lab, _edit("results", lambda r: r["Units"] == "mg/dL", _put(Units="mmol/L"))
    ),
    "lab-decimal-moved": (
        _lab, _edit("results", _is_number, _map("Value", lambda v: f"{float(v) / 10:g}"))
    ),
    "lab-flag-lost": (_lab, _edit("results", lambda r: r["Flag"] != "", _put(Flag=""))),
    "lab-missing": (_lab, _drop("results", _any)),
    "lab-comparator-lost": (
        _lab,
        _edit("results", lambda r: r["Value"][:1] == "<", _map("Value", lambda v: v[1:])),
    ),
    "lab-other-patient": (f"{_lab}?", _whole(_any)),
    "lab-preliminary-as-final": (_lab, _edit("results", _is("Status", "P"), _put(Status="F"))),
    "patient-swapped": (f"{_patient}?", _whole(_any)),
    "patient-birth-date-shifted": (_patient, _whole(_map("DOB", _shift_day))),
    "patient-other-sex": (_patient, _whole(_map("Sex", lambda s: "M" if s == "F" else "F"))),
    "patient-shown-alive": (_patient, _set(Deceased="N")),
    "patient-other-number": (
        "found", _edit("patients", _any, _map("MRN", lambda m: f"{m[:-1]}{(int(m[-1]) + 1) % 10}"))
    ),
    "problem-missing": ("problems", _drop("problems", _any)),
    "problem-other-code": ("problems", _edit("problems", _any, _put(ICD10="Z00.00"))),
    "vitals-kg-as-lb": (
        "vitals", _edit("vitals", _any, _map("WeightLb", lambda w: round(w * 0.45359237, 1)))
    ),
    "vitals-celsius-as-fahrenheit": (
        "vitals", _edit("vitals", _any, _map("TempF", lambda t: round((t - 32) / 1.8, 1)))
    ),
    "vitals-pressure-swapped": ("vitals", _edit("vitals", _any, _swap_pressure)),
    "appt-hour-late": ("day", _edit("appts", _any, _map("Start", _hour_later))),
    "appt-missing": ("day", _drop("appts", _any)),
    "appt-other-clinician": (
        "day", _edit("appts", _any, _map("Prov", lambda p: "DROBI" if p != "DROBI" else "DRKIM"))
    ),
    "appt-other-site": (
        "day", _edit("appts", _any, _map("Site", lambda s: "TERN" if s != "TERN" else "MAIN"))
    ),
    "appt-cancelled-shown-booked": ("appt", _whole(_put(Status="BOOKED"))),
    "appt-next-day": ("appt", _whole(_map("Start", _next_day))),
    "slot-taken-shown-free": ("slots", _whole(lambda value: value["free"].extend(value["taken"]))),
    "balance-stale": ("balance", _whole(lambda value: value.update(Balance=value["Charged"]))),
    "balance-negated": (
        "balance", _whole(_map("Balance", lambda b: b[1:] if b[:1] == "-" else f"-{b}"))
    ),
    "invoice-line-missing": ("invoice", _drop("Lines", _any)),
    "invoice-cents-lost": ("invoice", _whole(_map("Total", lambda t: f"{float(t) - 0.01:.2f}"))),
    "payment-not-kept": ("payment!", _whole(_any)),
    "insurance-ended-shown-current": (
        "policies", _edit("policies", lambda p: p["Ends"] is not None, _put(Ends=None))
    ),
    "insurance-other-member": (
        "policies", _edit("policies", _any, _map("MemberNo", lambda m: f"{m[:-1]}X"))
    ),
    "patient-phone-digits": (_patient, _whole(_map("Phone", lambda p: f"{p[:-2]}{p[-1]}{p[-2]}1"))),
    "patient-old-street": (
        _patient, _whole(lambda value: value["Addr"].update(Line1="9 Former St"))
    ),
    "patient-no-email": (_patient, _set(Email=None)),
    "patient-other-language": (_patient, _set(Lang="FR")),
    "site-old-name": ("sites", _edit("sites", _any, _put(Name="Harbor St. Main (old)"))),
    "name-in-capitals": (_patient, _whole(_map("LastName", str.upper))),
    "reason-with-spaces": ("day", _edit("appts", _any, _map("Reason", lambda r: f" {r}  "))),
    "order-of-list": ("problems", _whole(lambda value: value["problems"].reverse())),
    "date-with-dashes": (_patient, _DASHES),
    "number-as-text": ("vitals", _edit("vitals", _any, _map("Pulse", str))),
    "glucose-in-mmol": (_lab, _glucose_in_mmol),
    "weight-in-kg-said-so": ("vitals", _weight_in_kg),
}  # fmt: skip
TROUBLES = frozenset({"slow", "errors", "hang", "cut"})
