"""Nothing reads or writes a resource without a Grant: checked on signatures and on the SQL."""

import ast
import dataclasses
import importlib
import pkgutil
import re

import pytest

import polyclinic.fhirserver as fhirserver
from polyclinic.fhirserver.access import ACCESS, MAY_WRITE, Grant, access_of
from polyclinic.fhirserver.search.chart import ChartAsk
from polyclinic.fhirserver.search.conditions import Conditions, TermGroup
from polyclinic.fhirserver.search.plan import Order, Plan, Target, count_statement, statement
from polyclinic.fhirserver.search.query import parse
from polyclinic.fhirserver.store.draft import Draft
from polyclinic.fhirserver.store.read import ReadAsk
from polyclinic.fhirserver.store.write import Change
from polyclinic.fhirserver.terms import Terms
from polyclinic.foundation.caller import Caller
from polyclinic.foundation.vault import Vault

# What brings a Grant along: the Grant itself, and the values that have one as a field.
CARRIERS = {"Grant": None, "ReadAsk": ReadAsk, "ChartAsk": ChartAsk, "Draft": Draft,
            "Change": Change, "Target": Target}  # fmt: skip

# Speak to the database without a Grant, because no resource and no index row of one is read.
NO_ROWS = {
    "store/keys.py": "wrapped keys by owner or id: who asks has the row, and its envelope, already",
    "store/pids.py": "the next block of row numbers",
    "store/log.py": "writes the access log and keeps its months",
    "store/merging.py": "which records are one person's, as records said; no resource is read",
    "search/frequencies.py": "counts of opaque terms from a sample, for the choice of a path",
}
NO_GRANT = {
    "store/write.py: clear": "deletes index rows of row numbers that `lock` found with a Grant",
    "rest/conditional.py: Conditional.claim": "claims hashes of criteria; the searches that "
    "follow take their Grant from the errand",
    "rest/conditional.py: Conditional.give_up": "takes these claims back",
}
# Public methods of the store and of search that take no Grant.
NO_GRANT_METHODS = {
    "Aliases.fresh": "copies who was merged with whom; what may be seen is decided elsewhere",
    "Store.released": "writes the access log",
    "Kept.released": "the same, as a history sees the store",
    "Search.log": "writes the access log of hits that `page` found with a Grant",
    "Search.log_chart": "the same of hits that `chart` found",
    "load_keys": "opens keys of rows that were read with a Grant",
}
# Statements that name `resource` or `version` without ACCESS or MAY_WRITE.
NO_PREDICATE = {
    "store.write.CLEAR": "deletes index rows of locked, allowed rows; reads no body",
    "store.store._REFERRED": "whether anything at all points at a resource that is to be deleted: "
    "integrity must not depend on who asks. It tells a deleter that something refers to it",
    "search.frequencies._COUNT": "counts opaque terms over a sample of rows; reads no body",
}

ASKS_DATABASE = {"fetch", "fetchrow", "fetchval", "execute", "executemany"}
ON_ROWS = re.compile(r"\b(?:FROM|JOIN|UPDATE|INTO|USING)\s+(?:resource|version)\b")
READS_ROWS = re.compile(r"\b(?:FROM|JOIN|USING)\s+(?:resource|version)\b")


def floor(sources_of):
    return sources_of("src/polyclinic/fhirserver")


def short(source):
    return source.name.removeprefix("src/polyclinic/fhirserver/")


def qualified_functions(tree):
    """(name, function) of module functions and of methods."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, node
        elif isinstance(node, ast.ClassDef):
            for inner in node.body:
                if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef):
                    yield f"{node.name}.{inner.name}", inner


def carries_grant(function):
    arguments = function.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    annotations = [ast.unparse(arg.annotation) for arg in every if arg.annotation is not None]
    return any(re.search(rf"\b{name}\b", text) for text in annotations for name in CARRIERS)


def asks_database(function):
    return any(
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ASKS_DATABASE
        for node in ast.walk(function)
    )


def test_what_counts_as_carrying_a_grant_has_one():
    for carrier in filter(None, CARRIERS.values()):
        fields = {field.name: field.type for field in dataclasses.fields(carrier)}
        assert fields.get("grant") is Grant, carrier


def test_every_function_that_speaks_to_the_database_takes_a_grant(sources_of):
    """One method that forgot its Grant shows every chart to everybody: the incident that this
    rule is for is the commonest of all leaks between patients (OWASP API1, broken object level
    authorization). So a function without one does not pass, unless it is listed with its reason.
    """
    bare, seen, used = [], 0, set()
    for source in floor(sources_of):
        for name, function in qualified_functions(source.tree):
            if not asks_database(function):
                continue
            seen += 1
            place = f"{short(source)}: {name}"
            if short(source) in NO_ROWS:
                used.add(short(source))
            elif place in NO_GRANT:
                used.add(place)
            elif not carries_grant(function):
                bare.append(place)
    assert not bare
    assert seen > 15, "the scan no longer finds the calls"
    stale = (NO_ROWS.keys() | NO_GRANT.keys()) - used
    assert not stale, "these exceptions excuse nothing any more"


def test_every_public_method_of_store_and_search_takes_a_grant(sources_of):
    """The store is what other code can reach: the wall must stand there and not only below it."""
    bare, used = [], set()
    for source in sources_of("src/polyclinic/fhirserver/store", "src/polyclinic/fhirserver/search"):
        for name, function in qualified_functions(source.tree):
            is_public = not any(part.startswith("_") for part in name.split("."))
            if not is_public or not isinstance(function, ast.AsyncFunctionDef):
                continue
            place = f"{short(source)}: {name}"
            if name in NO_GRANT_METHODS:
                used.add(name)
            elif short(source) in NO_ROWS or place in NO_GRANT:
                continue
            elif not carries_grant(function) and not takes_errand(function):
                bare.append(place)
    assert not bare
    assert used == set(NO_GRANT_METHODS), "these exceptions excuse nothing any more"


def takes_errand(function):
    """An errand holds the caller's Access, out of which each interaction takes its Grant."""
    every = [*function.args.args, *function.args.kwonlyargs]
    return any(a.annotation and ast.unparse(a.annotation) == "Errand" for a in every)


def modules():
    for found in pkgutil.walk_packages(fhirserver.__path__, "polyclinic.fhirserver."):
        yield importlib.import_module(found.name)


def statements():
    """Every SQL text of the floor, as it is sent, by the name of its constant."""
    for module in modules():
        for name, value in vars(module).items():
            texts = value if isinstance(value, tuple) else (value,)
            for text in texts:
                if isinstance(text, str) and ON_ROWS.search(text):
                    yield f"{module.__name__.removeprefix('polyclinic.fhirserver.')}.{name}", text


def test_every_statement_on_resources_or_versions_contains_the_access_predicate():
    """A row that is read without ACCESS, or changed without MAY_WRITE, was shown or changed for
    nobody in particular. Each exception stands above with its reason.
    """
    found = dict(statements())
    assert len(found) >= 6, "the scan no longer finds the statements"
    bare = {
        name
        for name, text in statements()
        if READS_ROWS.search(text) and ACCESS not in text and MAY_WRITE not in text
    }
    assert bare == set(NO_PREDICATE)


def test_no_body_leaves_the_database_without_the_access_predicate():
    """Exceptions may count and delete; none of them selects what is sealed."""
    for name, text in statements():
        if name in NO_PREDICATE:
            assert "envelope" not in text, name


def test_every_statement_of_several_readings_of_rows_repeats_the_predicate():
    """A UNION with one guarded half is a hole of half the size."""
    for name, text in statements():
        if name in ("search.chart.BY_DATE", "search.chart.BY_ROW"):
            assert text.count(ACCESS) == len(READS_ROWS.findall(text)) == 2, name


def test_sql_on_rows_is_written_only_as_a_constant_or_by_the_planner(sources_of):
    """Text inside a function would escape the checks above; the planner's is checked by itself."""
    found = set()
    for source in floor(sources_of):
        for _, function in qualified_functions(source.tree):
            docstring = ast.get_docstring(function, clean=False)
            for node in ast.walk(function):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    is_sql = READS_ROWS.search(node.value) or node.value == "resource r"
                    if is_sql and node.value != docstring:
                        found.add(short(source))
    assert found == {"search/plan.py"}


@pytest.fixture
def terms(root_key):
    return Terms(Vault(root_key, "records"))


PATHS = ("chart", "ids", "terms", "postings", "dates", "dateless", "type")


def test_every_path_that_the_planner_knows_is_tried_below(sources_of):
    (planner,) = [source for source in floor(sources_of) if short(source) == "search/plan.py"]
    named = set(re.findall(r'(?:path == |Plan\()"(\w+)"', planner.text))
    assert named <= set(PATHS)


@pytest.mark.parametrize(("path", "by_change"), [*((p, False) for p in PATHS), ("type", True)])
def test_every_path_of_the_planner_guards_its_rows(terms, path, by_change):
    clinician = Caller(
        "u", "c", "clinician", frozenset({"user/*.rs"}), "Practitioner/p", "t"
    )  # fmt: skip
    grant = access_of(clinician, None, 7).to("s", "Observation")
    query = parse("Observation", [("code", "8867-4")], lenient=False)
    asked = Conditions((TermGroup((5,), posted=True),), ("a",), (), exact=True)
    order = {
        "dates": Order("date", descending=True, param="date"),
        "dateless": Order("date", descending=True, param="date"),
    }.get(path, Order("updated" if by_change else "pid"))
    plan = Plan(path, order, (5,))
    target = Target(query, asked, grant, 3)
    for text, values in (
        statement(plan, target, terms, None, 10),
        count_statement(plan, target, terms, 10),
    ):
        assert text.count(ACCESS) == 1
        assert not re.search(r"(?<!r)\.envelope", text), "bodies come from the guarded row only"
        assert values[:7][5] == [7], "the caller's Grant is among the values"


def test_services_leave_resources_to_the_fhir_floor(sources_of):
    """A service that mounts the FHIR server could read `resource` with its own SQL."""
    for source in sources_of("src/polyclinic/services"):
        assert not re.search(
            r"\b(?:FROM|JOIN|INTO|UPDATE|USING)\s+\w+\.(?:resource|version)\b", source.text
        ), source.name
