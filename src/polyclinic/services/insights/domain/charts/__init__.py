"""A patient's FHIR resources as facts with a source: converted by UCUM or refused, never guessed.

chart = Chart.of(patient, resources)
found = find(chart, wanted, at)      # Found with all that it rests on, or Lack with the reason
"""

from polyclinic.services.insights.domain.charts.chart import Chart
from polyclinic.services.insights.domain.charts.facts import Found, Lack, Used
from polyclinic.services.insights.domain.charts.finding import find, lack, newest
from polyclinic.services.insights.domain.charts.inputs import Answer, Codes, Input, Range
from polyclinic.services.insights.domain.charts.units import UnitRefused, convert

__all__ = [
    "Answer", "Chart", "Codes", "Found", "Input", "Lack", "Range", "UnitRefused",
    "Used", "convert", "find", "lack", "newest",
]  # fmt: skip
