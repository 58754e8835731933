"""Whether a chart's lists name a diagnosis or a medicine, and when their silence says anything.

A refuted or ended entry is a no of its own. Where no entry fits, that is a no only if the chart
shows that such a list is kept at all: by an entry of any kind, or by a List that says that none is
known. The answer then says `assumed`, and people are shown it. Otherwise the input is lacking:
absent is not negative. So it is where an entry cannot be read: it could be the very thing.
"""

import re
from dataclasses import replace
from datetime import datetime

from polyclinic.services.insights.domain.charts.chart import Chart
from polyclinic.services.insights.domain.charts.facts import Found, Lack, Used
from polyclinic.services.insights.domain.charts.inputs import Codes, Input
from polyclinic.services.insights.domain.charts.resources import (
    ATC,
    ICD10,
    SNOMED,
    Coding,
    Medicine,
    Problem,
)


def find_condition(chart: Chart, wanted: Input, at: datetime) -> Found | Lack:
    """Yes by any confirmed entry that counts; else no by one that is over or refuted."""
    entries = [
        each
        for each in chart.problems
        if _begun(each, at) and _is_named(each.codings, wanted.codes)
    ]
    counting = ("yes", "over") if wanted.ever else ("yes",)
    yes = [each for each in entries if each.standing in counting]
    if yes:
        return Found(answer=True, used=tuple(_used(wanted, each, "yes") for each in yes))
    unsure = [each for each in entries if each.standing == "unsure"]
    if unsure:
        return _lack(wanted, "it is only suspected", unsure[0].reference)
    if entries:
        return Found(answer=False, used=tuple(_used(wanted, each, "no") for each in entries))
    unreadable = [
        each
        for each in chart.problems
        if _begun(each, at) and each.standing in (*counting, "unsure") and not _is_coded(each)
    ]
    if unreadable:
        why = "an entry of the problem list has no code of SNOMED CT or ICD-10"
        return _lack(wanted, why, unreadable[0].reference)
    return _silent(chart, wanted, "condition", at)


def find_medicine(chart: Chart, wanted: Input, at: datetime) -> Found | Lack:
    """By ATC code, or by the ingredient's international name (INN) as a word of its name.

    A medicine that is taken and carries neither a name nor an ATC code could be any: then the
    list's silence means nothing. One whose name no list knows is most often another medicine, and a
    brand now and then: the answer is no, and names it beside itself.
    """
    taken = [each for each in chart.medicines if each.taken and _begun(each, at)]
    yes = [each for each in taken if _is_of(each, wanted.codes)]
    if yes:
        return Found(answer=True, used=tuple(_used(wanted, each, "yes") for each in yes))
    unreadable = [
        each for each in taken if not each.names and not any(s == ATC for s, _ in each.codings)
    ]
    if unreadable:
        return _lack(wanted, "a medicine on the list cannot be read", unreadable[0].reference)
    silent = _silent(chart, wanted, "medicine", at)
    if isinstance(silent, Lack):
        return silent
    strange = (each for each in taken if not _is_known(each, wanted.codes))
    beside = (replace(_used(wanted, each, "not recognised"), assumed=True) for each in strange)
    return replace(silent, used=(*silent.used, *beside))


def _begun(one: Problem | Medicine, at: datetime) -> bool:
    return one.since is None or one.since <= at


def _silent(chart: Chart, wanted: Input, kind: str, at: datetime) -> Found | Lack:
    entries = chart.problems if kind == "condition" else chart.medicines
    is_empty = kind in chart.empty and chart.empty[kind] <= at
    if not is_empty and not any(_begun(each, at) for each in entries):
        return _lack(wanted, "not recorded: the chart keeps no such list", "")
    date = chart.empty[kind] if is_empty else None
    used = Used(wanted.name, None, "no", "", date, "", assumed=True)
    return Found(answer=False, used=(used,))


def _lack(wanted: Input, why: str, reference: str) -> Lack:
    return Lack(wanted.name, wanted.words, wanted.codes.shown(), why, reference)


def _used(wanted: Input, one: Problem | Medicine, code: str) -> Used:
    return Used(wanted.name, None, code, "", one.since, one.reference, one.version)


def _is_named(codings: tuple[Coding, ...], codes: Codes) -> bool:
    for system, code in codings:
        if system == SNOMED and code in codes.snomed:
            return True
        if system in ICD10 and code.replace(".", "").startswith(codes.icd10 or ("\0",)):
            return True
    return False


def _is_coded(one: Problem) -> bool:
    return any(system == SNOMED or system in ICD10 for system, code in one.codings if code)


def _is_known(one: Medicine, codes: Codes) -> bool:
    """Whether an ATC code says what it is, or any list of medicines has its name."""
    return any(system == ATC for system, _ in one.codings) or _has(one, codes.other_names)


def _is_of(one: Medicine, codes: Codes) -> bool:
    if any(system == ATC and code.startswith(codes.atc or ("\0",)) for system, code in one.codings):
        return True
    return _has(one, codes.names)


def _has(one: Medicine, names: tuple[str, ...]) -> bool:
    return any(re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", one.names) for name in names)
