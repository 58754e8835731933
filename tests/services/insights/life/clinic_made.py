"""A made-up clinic's discharges as FHIR, and an additive model of them."""

import random
from datetime import UTC, datetime, timedelta

from polyclinic.services.insights.domain import models as foretelling
from polyclinic.services.insights.domain.models import Axis, Feature, Line, Model, Table

LONG_AGO = datetime(2025, 3, 1, 12, tzinfo=UTC)
GLUCOSE, SODIUM = "2345-7", "2951-2"
BASE, STAYS, HIGH = -2.2, 0.9, 0.8


def words_of(at):
    return at.isoformat()


def encounter(who, number, start, end, kind="IMP"):
    return {
        "resourceType": "Encounter", "id": f"{who}-e{number}", "status": "finished",
        "class": {"code": kind}, "subject": {"reference": f"Patient/{who}"},
        "period": {"start": words_of(start), "end": words_of(end)},
    }  # fmt: skip


def lab(who, code, value, unit, at):
    return {
        "resourceType": "Observation", "id": f"{who}-{code}", "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": code}]},
        "subject": {"reference": f"Patient/{who}"}, "effectiveDateTime": words_of(at),
        "valueQuantity": {"value": round(value, 1), "code": unit,
                          "system": "http://unitsofmeasure.org"},
    }  # fmt: skip


def chart(who, chance, at=LONG_AGO, glucose=None, sodium_code=SODIUM):
    """Somebody who goes home at `at`, with a sugar and, every other time, a sodium."""
    born = datetime(1940 + chance.randrange(45), 1, 1, tzinfo=UTC)
    made = [{
        "resourceType": "Patient", "id": who, "gender": chance.choice(("female", "male")),
        "birthDate": born.date().isoformat(),
    }]  # fmt: skip
    for number in range(chance.choice((0, 0, 0, 1, 1, 2))):
        start = at - timedelta(days=60 + 40 * number)
        made.append(encounter(who, number, start, start + timedelta(days=2)))
    made.append(encounter(who, 9, at - timedelta(days=chance.randrange(2, 9)), at))
    sugar = chance.lognormvariate(4.7, 0.3)
    sugar = glucose(sugar) if glucose else sugar
    if sugar is not None:
        made.append(lab(who, GLUCOSE, sugar, "mg/dL", at - timedelta(days=1)))
    if chance.random() < 0.5:
        salt = chance.gauss(139, 3)
        made.append(lab(who, sodium_code, salt, "mmol/L", at - timedelta(days=1)))
    return made


def people(count, seed, **changed):
    """(id, resources, moment) of as many people, an hour between each."""
    chance = random.Random(seed)
    for number in range(count):
        at = LONG_AGO + timedelta(hours=number)
        who = f"p{seed}-{number}"
        yield who, chart(who, chance, at, **changed), at + timedelta(hours=1)


def _number(name, unit=""):
    return Feature(name, "number", name, unit)


def model(version="1", features=("stays.count", "glucose.last", "sodium.last")):
    """stays.count raises; a glucose of 150 and more, or a sodium below 135, raises."""
    tables = {
        "stays.count": Table(
            (Axis("stays.count", edges=(2.0, 3.0)),), (0.0, 0.0, STAYS, 2 * STAYS)
        ),
        "glucose.last": Table((Axis("glucose.last", edges=(150.0,)),), (0.0, 0.0, HIGH)),
        "sodium.last": Table((Axis("sodium.last", edges=(135.0,)),), (0.0, HIGH, 0.0)),
    }  # fmt: skip
    return foretelling.dump(
        Model(
            format="polyclinic-model/1", id="readmission", version=version, task="readmission-30d",
            title="Readmission", horizon_days=30.0, features=tuple(map(_number, features)),
            base=BASE, terms=tuple(tables[each] for each in features), calibration=Line(),
        )
    )  # fmt: skip
