"""What happened to whom, with nobody's name: events in the shape of MEDS, for learning only.

    keyed = Pseudonyms(secret, generation)
    rows = events_of(keyed, "Patient/42", resources, today)

MEDS (subject_id, time, code, numeric_value): https://github.com/Medical-Event-Data-Standard/meds
"""

from polyclinic.services.insights.domain.events.reading import events_of, facts_of
from polyclinic.services.insights.domain.events.showing import SHOWN_MIN, shown, shown_counts
from polyclinic.services.insights.domain.events.values import Event, Fact, Pseudonyms

__all__ = [
    "SHOWN_MIN", "Event", "Fact", "Pseudonyms", "events_of", "facts_of", "shown", "shown_counts",
]  # fmt: skip
