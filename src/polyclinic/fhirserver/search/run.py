"""Carries a search out: candidates are opened, verified, logged and only then shown."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol

from polyclinic.fhirserver.access import Grant
from polyclinic.fhirserver.errand import Errand
from polyclinic.fhirserver.index import CHART_PARAMETERS, LATEST, PERSONAL_DATES, chart_term
from polyclinic.fhirserver.search.aliases import Aliases
from polyclinic.fhirserver.search.asks import Query, ReferenceAsk, SortKey
from polyclinic.fhirserver.search.chart import ChartAsk, Charts
from polyclinic.fhirserver.search.conditions import conditions
from polyclinic.fhirserver.search.cursor import Cursor
from polyclinic.fhirserver.search.frequencies import Frequencies
from polyclinic.fhirserver.search.hits import Hit, Page
from polyclinic.fhirserver.search.plan import (
    Order,
    Plan,
    Target,
    choose,
    count_statement,
    statement,
    undated,
)
from polyclinic.fhirserver.search.query import parse
from polyclinic.fhirserver.search.resolve import OtherOwner, Resolver
from polyclinic.fhirserver.search.sorting import sort_key
from polyclinic.fhirserver.search.verify import holds, literals, matches
from polyclinic.fhirserver.store.log import Released
from polyclinic.fhirserver.store.rows import load_keys, open_or_hide
from polyclinic.fhirserver.store.store import Store
from polyclinic.foundation.errors import Forbidden, TooCostly
from polyclinic.foundation.telemetry import Metrics
from polyclinic.foundation.work import Pace
from polyclinic.standards.fhir.definitions import in_patient_compartment, type_number
from polyclinic.standards.fhir.search_values import patients_of

OPENED_MAX = 2000  # candidates opened for one answer; beyond that the question must be narrower
COUNTED_MAX = 100_000
_PID_MAX = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class ChartPage:
    """A page of one patient's resources of one type, newest first below a row."""

    kind: str
    patient: str
    below: int | None
    since: datetime | None
    count: int


class Others(Protocol):
    """Searches at the owner of a type, asked as the same caller; every hit, at most `most`."""

    async def __call__(
        self, errand: Errand, kind: str, pairs: Sequence[tuple[str, str]], most: int
    ) -> list[Hit]: ...


class NoRelation(Forbidden):
    """You have no care relation with this patient, so the chart stays closed."""


class Search:
    """Searches one service's resources."""

    def __init__(
        self,
        store: Store,
        metrics: Metrics,
        foreign: frozenset[str] = frozenset(),
        elsewhere: OtherOwner | None = None,
    ) -> None:
        """`elsewhere` is asked about a chain's `foreign` types; without it they are refused."""
        self._store = store
        self.resolver = Resolver(self, foreign, elsewhere)
        self.others: Others | None = None
        self._charts = Charts(store.database, metrics)
        self.aliases = Aliases(store.database)
        self.frequencies = Frequencies(store.database)

    async def page(self, errand: Errand, grant: Grant, query: Query, after: Cursor | None) -> Page:
        """One page; everything on it is in the access log before this returns."""
        await self.aliases.fresh()
        # A chart that only a chain leads to is not asked for: a refusal would tell who it is.
        asked_chart = self._chart_of(grant, query)
        query = self.aliases.widened(await self.resolver.resolved(errand, query))
        chart = self._chart_of(grant, query)
        target = Target(query, conditions(self._store.terms, query), grant, chart)
        if chart is None and self._asks_nobody(query):
            hits: list[Hit] = []
            more = False
        elif query.summary == "count" or query.count == 0:
            hits, more = [], False
        elif (order := _order(query)) is None:
            hits, more = await self._sorted(target, after)
        else:
            hits, more = await self._walk(target, order, after)
        if not hits and asked_chart is not None:
            await self.need_relation(errand, grant, query.type, asked_chart)
        total = await self._total(target) if self._wants_total(query) else None
        await self.log(errand, query.type, hits, asked_chart if chart is None else chart)
        return Page(hits, _cursor(query, hits) if more else None, total)

    async def matching(self, errand: Errand, grant: Grant, query: Query) -> list[Hit]:
        """Every hit of a narrow query, for an inner step that shows none of them: unlogged."""
        await self.aliases.fresh()
        plain = self.aliases.widened(await self.resolver.resolved(errand, query))
        if self._asks_nobody(plain):
            return []
        asked = conditions(self._store.terms, plain)
        return await self._all(Target(plain, asked, grant, self._chart_of(grant, plain)))

    async def chart(self, grant: Grant, asked: ChartPage) -> tuple[list[Hit], int | None]:
        """What lies in one chart of one type, and the row to go on below; `log_chart` logs it."""
        person = self._store.terms.person(f"Patient/{asked.patient}")
        since = asked.since.isoformat() if asked.since is not None else ""
        query = parse(asked.kind, [("_lastUpdated", f"ge{since}")] if since else [])
        query = replace(query, count=asked.count)
        target = Target(query, conditions(self._store.terms, query), grant, person)
        after = Cursor((), asked.below) if asked.below is not None else None
        hits, more = await self._walk(target, Order("pid"), after)
        # Two people may share a number of 64 bits: what the resource says decides.
        own = [hit for hit in hits if _is_about(hit, asked.patient)]
        return own, hits[-1].document.pid if more else None

    async def log_chart(self, errand: Errand, chart: int, hits: Sequence[Hit]) -> None:
        """One row for the page of a chart; further patients of what is on it have their own."""
        counts = {chart: len(hits)}
        for hit in hits:
            for patient in {*hit.patients} - {None, chart}:
                assert patient is not None
                counts[patient] = counts.get(patient, 0) + 1
        number = type_number("Patient")
        await self._store.released(
            [Released(errand, patient, number, n) for patient, n in counts.items()]
        )

    async def log(
        self, errand: Errand, kind: str, hits: Sequence[Hit], chart: int | None = None
    ) -> None:
        """One row a patient of what is about to be shown; a search that finds nothing too.

        That a chart holds nothing of a kind, or how much, is told of its patient as well.
        """
        counts: dict[int | None, int] = {}
        for hit in hits:
            for patient in hit.patients:
                counts[patient] = counts.get(patient, 0) + 1
        number = type_number(kind)
        await self._store.released(
            [Released(errand, patient, number, n) for patient, n in (counts or {chart: 0}).items()]
        )

    def _chart_of(self, grant: Grant, query: Query) -> int | None:
        """The one patient whose chart is asked about, or whose alone may be seen."""
        person = self._store.terms.person
        for criterion in query.criteria:
            if len(criterion.asks) == 1 and _leads_to_chart(query.type, criterion.param):
                ask = criterion.asks[0]
                if (
                    isinstance(ask, ReferenceAsk)
                    and ask.id
                    and _means_patient(criterion.param, ask)
                ):
                    return person(f"Patient/{ask.id}")
        # A Schedule may be a patient's, but is open to all: not only a chart's are to be found.
        is_own_only = _is_charted(query.type) and not grant.opens_type(query.type)
        if grant.patient is not None and is_own_only and not self.aliases.has(grant.patient):
            return grant.patient
        return None

    def _asks_nobody(self, query: Query) -> bool:
        return any(not criterion.asks for criterion in query.criteria)

    async def _walk(
        self, target: Target, order: Order, after: Cursor | None
    ) -> tuple[list[Hit], bool]:
        """Candidates in order until the page is full; what the index got wrong is passed over."""
        wanted = target.query.count + 1
        hits: list[Hit] = []
        plan = choose(target.asked, order, target.chart, self.frequencies)
        opened, pace = 0, Pace()
        while True:
            limit = max(wanted - len(hits), 10)
            rows = await self._candidates(plan, target, after, limit)
            for row in await self._open(rows, target, pace):
                if row is not None:
                    hits.append(row)
            if len(hits) >= wanted:
                return hits[: wanted - 1], True
            if len(rows) < limit:
                return hits, False
            opened += len(rows)
            if opened > OPENED_MAX:
                raise TooCostly(
                    f"More than {OPENED_MAX} records would have to be opened. Ask for a longer "
                    "beginning, a patient or a code."
                )
            after = _after(target.query, rows[-1], order)

    async def _candidates(
        self, plan: Plan, target: Target, after: Cursor | None, limit: int
    ) -> list[Any]:
        ask = self._chart_ask(plan, target, after, limit)
        if ask is not None:
            return await self._charts.page(ask)
        if plan.path == "dates":
            return await self._by_date(plan, target, after, limit)
        return await self._rows(plan, target, after, limit)

    async def _by_date(
        self, plan: Plan, target: Target, after: Cursor | None, limit: int
    ) -> list[Any]:
        """First what has the date, in its order, then what has none."""
        rows: list[Any] = []
        if after is None or after.moment != undated(plan.order):
            rows = await self._rows(plan, target, after, limit)
            after = None
        if len(rows) < limit:
            rest = Plan("dateless", plan.order)
            rows += await self._rows(rest, target, after, limit - len(rows))
        return rows

    async def _rows(
        self, plan: Plan, target: Target, after: Cursor | None, limit: int
    ) -> list[Any]:
        text, values = statement(plan, target, self._store.terms, after, limit)
        return await self._store.database.fetch(text, *values)

    def _chart_ask(
        self, plan: Plan, target: Target, after: Cursor | None, limit: int
    ) -> ChartAsk | None:
        """The chart lane's ask, when the query is of the shape that it carries."""
        order, kind = plan.order, target.query.type
        by_date = order.by == "date" and order.charted
        if plan.path != "chart" or target.asked.ranges or not (by_date or order == Order("pid")):
            return None
        if any(len(group.terms) != 1 for group in target.asked.groups):
            return None
        assert target.chart is not None
        # The term that most rows of a chart lack is tested first.
        groups = sorted(target.asked.groups, key=lambda group: group.refers)
        terms = tuple(group.terms[0] for group in groups)
        return ChartAsk(
            target.grant,
            target.chart,
            type_number(kind),
            chart_term(self._store.terms, kind, target.chart),
            terms,
            after.moment if after and after.moment else LATEST,
            after.pid if after else _PID_MAX,
            limit,
            by_date,
        )

    async def _open(self, rows: list[Any], target: Target, pace: Pace) -> list[Hit | None]:
        await load_keys(self._store.keys, rows)
        query = target.query
        written = literals(query.criteria) if target.asked.exact else None
        found: list[Hit | None] = []
        for row in rows:
            document = open_or_hide(self._store.vault, self._store.keys, query.type, row)
            patients = (row["patient"], *(row["others"] or ()))
            hit = Hit(document, None, patients, row["key"])
            # Nobody can tell whether a record that does not open would match: it is shown as such.
            is_hit = document.body is None or (
                written is not None and holds(document.body, written)
            )
            found.append(hit if is_hit or matches(hit.resource, query.criteria) else None)
            await pace.step()
        return found

    async def _all(self, target: Target) -> list[Hit]:
        """Every hit of a narrow query; TooCostly when there are too many to open."""
        plan = choose(target.asked, Order("pid"), target.chart, self.frequencies)
        rows = await self._candidates(plan, target, None, OPENED_MAX + 1)
        if len(rows) > OPENED_MAX:
            raise TooCostly(f"More than {OPENED_MAX} records would have to be opened and sorted.")
        return [hit for hit in await self._open(rows, target, Pace()) if hit is not None]

    async def _sorted(self, target: Target, after: Cursor | None) -> tuple[list[Hit], bool]:
        """Orders that the index does not keep: all hits are opened and sorted."""
        hits = await self._all(target)
        for key in reversed(target.query.sort):
            hits.sort(key=lambda hit, key=key: sort_key(hit.resource, key), reverse=key.descending)
        start = 0
        if after is not None:
            # The row of the cursor may be gone by now; its place in the order is not.
            sort = target.query.sort
            start = sum(not _is_beyond(hit, after, sort) for hit in hits)
        page = hits[start : start + target.query.count]
        return page, start + len(page) < len(hits)

    def _wants_total(self, query: Query) -> bool:
        return query.total != "none" or query.summary == "count" or query.count == 0

    async def _total(self, target: Target) -> int:
        plan = choose(target.asked, Order("pid"), target.chart, self.frequencies)
        if not target.asked.exact:
            return len(await self._all(target))
        text, values = count_statement(plan, target, self._store.terms, COUNTED_MAX)
        found = await self._store.database.fetchval(text, *values)
        if found == COUNTED_MAX and target.query.total != "estimate":
            raise TooCostly(f"There are more than {COUNTED_MAX - 1}; ask for _total=estimate.")
        return found

    async def need_relation(self, errand: Errand, grant: Grant, kind: str, chart: int) -> None:
        """Raises NoRelation, and logs it, for a clinician who does not care for this patient."""
        if grant.practitioner is None or grant.opens_in_charts(kind):
            return
        known = await self._store.database.fetchval(
            "SELECT EXISTS (SELECT FROM care WHERE practitioner = $1 AND patient = $2"
            " AND coalesce(since, '-infinity') <= now() AND coalesce(until, 'infinity') > now())",
            grant.practitioner,
            chart,
        )
        if not known:
            await self._store.released([Released(errand, chart, type_number(kind), 0, outcome=8)])
            raise NoRelation(place="patient")


def _leads_to_chart(kind: str, param: str) -> bool:
    """Whether a resource with this patient in this parameter lies in that patient's chart."""
    own = in_patient_compartment(kind)
    # `patient` is everywhere the part of such a parameter that is a patient.
    return param in own or (param == "patient" and bool(own))


def _is_about(hit: Hit, patient: str) -> bool:
    return hit.document.body is None or patient in patients_of(hit.resource)


def _is_charted(kind: str) -> bool:
    return kind == "Patient" or bool(in_patient_compartment(kind))


def _means_patient(param: str, ask: ReferenceAsk) -> bool:
    return ask.types == ("Patient",) or (param == "patient" and "Patient" in ask.types)


def _order(query: Query) -> Order | None:
    """The order that an index keeps, or None when hits must be opened to be sorted."""
    if not query.sort:
        return Order("pid")
    key, *further = query.sort
    if further:
        return None
    if key.param == "_lastUpdated":
        return Order("updated", key.descending)
    if key.param == "_id":
        return Order("id", key.descending)
    if key.type == "date" and (query.type, key.param) not in PERSONAL_DATES:
        own = CHART_PARAMETERS.get(query.type) == key.param and key.descending
        return Order("date", key.descending, key.param, own and _is_charted(query.type))
    return None


def _after(query: Query, row: Any, order: Order) -> Cursor:
    moment: datetime | None = row["key"] if isinstance(row["key"], datetime) else None
    return Cursor(query.pairs, row["pid"], moment, row["id"] if order.by == "id" else None)


def _cursor(query: Query, hits: list[Hit]) -> Cursor:
    last = hits[-1]
    moment = last.key if isinstance(last.key, datetime) else None
    keys = _keys(last, query.sort) if _order(query) is None else ()
    return Cursor(query.pairs, last.document.pid, moment, last.document.id, keys)


def _keys(hit: Hit, sort: Sequence[SortKey]) -> tuple[tuple[bool, Any], ...]:
    return tuple(sort_key(hit.resource, key) for key in sort)


def _is_beyond(hit: Hit, after: Cursor, sort: Sequence[SortKey]) -> bool:
    """Whether a hit comes after the cursor's place; of equal ones the newer row comes first."""
    for key, value, reached in zip(sort, _keys(hit, sort), after.keys, strict=True):
        if value != reached:
            return value < reached if key.descending else value > reached
    return hit.document.pid < after.pid
