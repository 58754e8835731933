"""Events and tasks made up for tests, by hypothesis and by hand."""

from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from polyclinic.services.insights.domain.events import Fact
from polyclinic.services.insights.domain.tasks import tasks

EPOCH = datetime(2020, 1, 1, tzinfo=UTC)
CODES = (
    ("LOINC//2345-7", "mg/dL"), ("LOINC//2345-7", "mmol/L"), ("LOINC//4548-4", "%"),
    ("LOINC//39156-5", "kg/m2"), ("SNOMED//38341003", ""), ("SNOMED//44054006", ""),
    ("STAY//IMP//START", ""), ("STAY//IMP//END", "d"), ("STAY//EMER//START", ""),
    ("STAY//AMB//START", ""), ("APPOINTMENT//PLANNED", ""), ("APPOINTMENT//MISSED", ""),
    ("MEDS_DEATH", ""), ("LOINC//2160-0", "mg/dL"),
)  # fmt: skip
BIRTH = Fact(datetime(1960, 5, 1, tzinfo=UTC), datetime(1960, 5, 1, tzinfo=UTC), "MEDS_BIRTH")
ALL_TASKS = tuple(tasks().values())


def day(number):
    return EPOCH + timedelta(days=number)


@st.composite
def facts(draw):
    """A fact that becomes known when it happens or up to 90 days later."""
    code, unit = draw(st.sampled_from(CODES))
    at = EPOCH + timedelta(hours=draw(st.integers(0, 24 * 2500)))
    later = timedelta(hours=draw(st.sampled_from((0, 0, 0, 5, 24, 24 * 90))))
    value = draw(st.floats(1, 400)) if unit else None
    known = (
        at - timedelta(days=draw(st.integers(0, 60))) if code.endswith("PLANNED") else at + later
    )
    return Fact(at, known, code, value, unit)


charts = st.lists(facts(), max_size=40).map(lambda found: [BIRTH, *found])
