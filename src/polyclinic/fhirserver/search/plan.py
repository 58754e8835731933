"""Which way to the candidates: one of five paths, chosen by our own counts, not by the planner.

chart      one patient's rows, in date or row order          (the great majority of questions)
ids        the rows named by `_id`
terms      GIN, when some term is rare
postings   newest first over one common term's postings
type       newest first over the type, or in the order of its dates or changes
What went wrong for everybody who left the choice to the planner: decisions/0007.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import LiteralString

from polyclinic.fhirserver.access import ACCESS, Grant
from polyclinic.fhirserver.index import EARLIEST, LATEST, chart_term
from polyclinic.fhirserver.search.asks import Query
from polyclinic.fhirserver.search.conditions import Conditions, TermGroup, range_condition
from polyclinic.fhirserver.search.cursor import Cursor
from polyclinic.fhirserver.search.frequencies import RARE_MAX, Frequencies
from polyclinic.fhirserver.search.statement import Statement, both
from polyclinic.fhirserver.store.rows import GRANTS, Columns
from polyclinic.fhirserver.terms import Terms, param_number
from polyclinic.standards.fhir.definitions import type_number

COLUMNS: LiteralString = (
    "r.pid, r.version, r.updated, r.method, r.id, r.patient, r.others, r.at, r.envelope, "
)


@dataclass(frozen=True, slots=True)
class Order:
    """By row number (newest first), by change, by a date parameter, or by id."""

    by: str  # pid | updated | date | id
    descending: bool = True
    param: str = ""
    charted: bool = False  # what a chart's own index keeps


@dataclass(frozen=True, slots=True)
class Plan:
    """How candidates are found."""

    path: str  # chart | ids | terms | postings | dates | dateless | type
    order: Order
    posted: tuple[int, ...] = ()


def choose(asked: Conditions, order: Order, chart: int | None, counts: Frequencies) -> Plan:
    """The path for a query; `chart` is the patient whose rows are asked for, if only one's are."""
    if asked.ids is not None:
        return Plan("ids", order)
    if chart is not None:
        return Plan("chart", order)
    rarest = min(asked.groups, key=lambda group: counts.of(group.terms), default=None)
    if rarest is not None and counts.of(rarest.terms) <= RARE_MAX:
        return Plan("terms", order)
    if order.by == "date":
        return Plan("dates", order)
    posted = [g for g in asked.groups if g.posted and len(g.terms) == 1]
    if posted and order == Order("pid"):
        best = min(posted, key=lambda group: counts.of(group.terms))
        return Plan("postings", order, best.terms)
    return Plan("type", order)


@dataclass(frozen=True, slots=True)
class Target:
    """Everything a statement is made from."""

    query: Query
    asked: Conditions
    grant: Grant
    chart: int | None


def statement(
    plan: Plan, target: Target, terms: Terms, after: Cursor | None, limit: int
) -> tuple[LiteralString, list[object]]:
    """The SQL for one page of candidates, and its values."""
    grants = Columns()
    grants.number(target.grant)
    made = Statement(grants.values())
    source, conditions = _matching(plan, target, terms, made)
    key = _key(made, plan, target.query.type)
    if after is not None:
        conditions.append(_beyond(made, key, plan.order, after))
    direction: LiteralString = " DESC" if plan.order.descending else " ASC"
    text: LiteralString = (
        "WITH " + GRANTS + " SELECT " + COLUMNS + key + " AS key FROM " + source
        + " CROSS JOIN g WHERE " + both(conditions)
        + " ORDER BY " + key + direction + ", r.pid" + direction
        + " LIMIT " + made.bind(limit)
    )  # fmt: skip
    return text, made.values


def count_statement(
    plan: Plan, target: Target, terms: Terms, limit: int
) -> tuple[LiteralString, list[object]]:
    """Counts candidates up to a limit; right only when the conditions are exact."""
    grants = Columns()
    grants.number(target.grant)
    made = Statement(grants.values())
    source, conditions = _matching(plan, target, terms, made)
    text: LiteralString = (
        "WITH " + GRANTS + " SELECT count(*) FROM (SELECT FROM " + source + " CROSS JOIN g WHERE "
        + both(conditions) + " LIMIT " + made.bind(limit) + ") AS found"
    )  # fmt: skip
    return text, made.values


def _matching(
    plan: Plan, target: Target, terms: Terms, made: Statement
) -> tuple[LiteralString, list[LiteralString]]:
    """Where candidates come from, and every condition that the index can test."""
    number = made.bind(type_number(target.query.type))
    source, leading = _source(plan, target, terms, made)
    conditions: list[LiteralString] = [
        "r.type = " + number + "::smallint",
        "r.envelope IS NOT NULL",
        ACCESS,
        *leading,
        *(_filter(made, group) for group in target.asked.groups),
        *(range_condition(made, terms, target.query.type, c) for c in target.asked.ranges),
    ]
    return source, conditions


def _source(
    plan: Plan, target: Target, terms: Terms, made: Statement
) -> tuple[LiteralString, list[LiteralString]]:
    if plan.path == "chart":
        return _chart(target, terms, made), []
    if plan.path == "ids":
        return "resource r", [
            "r.id = ANY (" + made.bind(list(target.asked.ids or ())) + "::text[])"
        ]
    if plan.path == "terms":
        # OFFSET 0 keeps the planner from walking the whole type in order of the page instead.
        found: list[LiteralString] = [_in_index(made, g) for g in target.asked.groups]
        return "(SELECT * FROM resource WHERE " + both(found) + " OFFSET 0) r", []
    if plan.path == "postings":
        term = made.bind(plan.posted[0])
        return "posting p JOIN resource r ON r.pid = p.pid", ["p.term = " + term]
    if plan.path == "dates":
        return _dated(plan.order, target.query.type, made)
    if plan.path == "dateless":
        return _dateless(plan.order, target.query.type, made)
    return "resource r", []


def undated(order: Order) -> datetime:
    """What stands for the date of a resource without one: those come last either way."""
    return EARLIEST if order.descending else LATEST


def _dated(order: Order, kind: str, made: Statement) -> tuple[LiteralString, list[LiteralString]]:
    """The rows that have the date, each by the one of its dates that comes first."""
    number = made.bind(param_number(kind, order.param))
    nearer: LiteralString = " > " if order.descending else " < "
    first: LiteralString = (
        "NOT EXISTS (SELECT FROM date_range e WHERE e.pid = k.pid AND e.param = k.param"
        " AND (e.low, e.high)" + nearer + "(k.low, k.high))"
    )
    last = made.bind(undated(order)) + "::timestamptz"
    return (
        "date_range k JOIN resource r ON r.pid = k.pid",
        ["k.param = " + number, "k.low" + nearer + last, first],
    )


def _dateless(
    order: Order, kind: str, made: Statement
) -> tuple[LiteralString, list[LiteralString]]:
    """The rows that have no such date; an open beginning counts as none."""
    number = made.bind(param_number(kind, order.param))
    nearer: LiteralString = " > " if order.descending else " < "
    last = made.bind(undated(order)) + "::timestamptz"
    none: LiteralString = (
        "NOT EXISTS (SELECT FROM date_range e WHERE e.pid = r.pid AND e.param = " + number
        + " AND e.low" + nearer + last + ")"
    )  # fmt: skip
    return "resource r", [none]


def _chart(target: Target, terms: Terms, made: Statement) -> LiteralString:
    """The rows of a patient, and by their postings those that lie in several charts."""
    assert target.chart is not None
    patient = made.bind(target.chart)
    further = made.bind(chart_term(terms, target.query.type, target.chart))
    return (
        "(SELECT * FROM resource WHERE patient = " + patient
        + " UNION ALL SELECT x.* FROM posting q JOIN resource x ON x.pid = q.pid WHERE q.term = "
        + further + " AND x.patient IS DISTINCT FROM " + patient + "::bigint) r"
    )  # fmt: skip


def _in_index(made: Statement, group: TermGroup) -> LiteralString:
    values = made.bind(list(group.terms)) + "::bigint[]"
    operator: LiteralString = " @> " if len(group.terms) == 1 else " && "
    return "terms" + operator + values


def _filter(made: Statement, group: TermGroup) -> LiteralString:
    # IS TRUE hides the condition from the index: it filters, it does not lead.
    return "(r.terms && (" + made.bind(list(group.terms)) + "::bigint[])) IS TRUE"


def _key(made: Statement, plan: Plan, kind: str) -> LiteralString:
    """What the page is ordered by; ties go by row number."""
    order = plan.order
    if order.by == "pid":
        return "p.pid" if plan.path == "postings" else "r.pid"
    if order.by == "updated":
        return "r.updated"
    if order.by == "id":
        return "r.id"
    if plan.path == "dates":
        return "k.low"
    if plan.path == "chart" and order.charted:
        return "r.at"
    missing = made.bind(undated(order)) + "::timestamptz"
    if plan.path == "dateless":
        return missing
    number = made.bind(param_number(kind, order.param))
    # Of several dates the one that comes first in this order decides (R4 search, 3.1.1.5.1).
    first: LiteralString = "max" if order.descending else "min"
    return (
        "coalesce((SELECT " + first + "(s.low) FROM date_range s WHERE s.pid = r.pid"
        " AND s.param = " + number + "), " + missing + ")"
    )


def _beyond(made: Statement, key: LiteralString, order: Order, after: Cursor) -> LiteralString:
    sign: LiteralString = " < " if order.descending else " > "
    if order.by == "pid":
        return key + sign + made.bind(after.pid)
    if order.by == "id":
        return key + sign + made.bind(after.text)
    moment = after.moment or datetime(1, 1, 1, tzinfo=UTC)
    return (
        "(" + key + ", r.pid)" + sign
        + "(" + made.bind(moment) + "::timestamptz, " + made.bind(after.pid) + "::bigint)"
    )  # fmt: skip
