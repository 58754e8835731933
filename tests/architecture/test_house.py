"""The rules that keep the house small and its rooms apart, checked on the source itself."""

import ast
import hashlib
import re
import tarfile
from pathlib import Path

import pytest

from polyclinic.assembly.services import SERVICES
from polyclinic.foundation import outbox

FUNCTION_LINES_MAX = 40
FILE_LINES_MAX = 400
FILE_BYTES_MAX = 4 << 20
OURS = ("src", "scripts", "bench", "evaluate")

ROOMS = {
    "__init__", "routes", "pages", "listeners", "reactions", "jobs", "actions", "store",
    "gateways", "domain", "settings",
}  # fmt: skip
FOLDERS_BESIDE = {"schema", "templates", "static"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(tree):
    return [node for node in ast.walk(tree) if isinstance(node, Function)]


def dotted(node):
    """`datetime.now` of the expression `datetime.now`, else an empty text."""
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join(reversed([*parts, node.id])) if isinstance(node, ast.Name) else ""


def test_no_function_is_longer_than_a_page(sources_of):
    long = [
        f"{source.name}: {node.name} has {node.end_lineno - node.lineno + 1} lines"
        for source in sources_of(*OURS)
        for node in functions(source.tree)
        if node.end_lineno - node.lineno + 1 > FUNCTION_LINES_MAX
    ]
    assert not long


def test_no_file_is_too_long_to_be_read_at_once(sources_of):
    long = {
        source.name: lines
        for source in sources_of(*OURS)
        if (lines := source.text.count("\n")) > FILE_LINES_MAX
    }
    assert not long, "make it a folder of the same name, one file per capability"


def test_every_module_begins_with_one_line_that_says_what_is_true_in_it(sources_of):
    bad = []
    for source in sources_of("src", "scripts"):
        lines = (ast.get_docstring(source.tree) or "").splitlines() or [""]
        is_one_line = len(lines) == 1 or lines[1] == ""
        is_sentence = re.search(r"\S[.:?]$|\. https://\S+$", lines[0])
        if not is_one_line or not is_sentence or lines[0].startswith(("This ", "Module ")):
            bad.append(f"{source.name}: {lines[0]!r}")
    assert not bad


def test_a_service_has_no_rooms_but_those_of_the_plan(root):
    strange = [
        path.relative_to(root).as_posix()
        for service in (root / "src/polyclinic/services").iterdir()
        if service.is_dir() and service.name != "__pycache__"
        for path in service.iterdir()
        if path.name != "__pycache__"
        and not (path.suffix == ".py" and path.stem in ROOMS)
        and not (path.is_dir() and path.name in (ROOMS | FOLDERS_BESIDE) - {"__init__"})
    ]
    assert not strange


def test_every_folder_of_services_is_installed_and_carries_its_own_name(root):
    folders = {
        path.parent.name for path in (root / "src/polyclinic/services").glob("*/__init__.py")
    }
    assert folders == {service.name for service in SERVICES}
    for service in SERVICES:
        assert service.schema is None or service.schema.parent.name == service.name
        assert f"/{service.name}" in service.fronts or service.fronts == ("/",), service.name


# FROM, INTO, UPDATE … and the word behind it; a name followed by "(" is a function such as unnest.
_TABLE = re.compile(
    r"\b(?:FROM|JOIN|INTO|UPDATE|TABLE|REFERENCES|TRUNCATE|USING)\s+(?:ONLY\s+)?"
    r"(?!unnest\b|LATERAL\b|SET\b|\()([a-z_]+)(\.[a-z_]+)?(?!\s*\()",
)

# A name that the statement itself gives: `WITH taken AS (…)`.
_WITH = re.compile(r"\b([a-z_]+)\s+AS\s+(?:(?:NOT\s+)?MATERIALIZED\s+)?\(")


def _sql_constants(tree):
    """Every text of a tree that is a statement; docstrings are none."""
    verb = re.compile(r"^\s*(SELECT|INSERT|UPDATE|DELETE|WITH|MERGE|TRUNCATE|LOCK)\s")
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and verb.match(node.value)
        ):
            yield node.value


def test_a_services_sql_names_only_tables_of_its_own_schema(sources_of, root):
    foreign, seen = [], 0
    for service in SERVICES:
        for source in sources_of(f"src/polyclinic/services/{service.name}"):
            for text in _sql_constants(source.tree):
                assert re.match(r"store($|/|\.py)", source.name.split("/", 4)[4]), source.name
                named_here = set(_WITH.findall(text))
                for schema, table in _TABLE.findall(text):
                    if not table and schema in named_here:
                        continue
                    seen += 1
                    if schema != service.name or not table:
                        foreign.append(f"{source.name}: {schema}{table}")
    assert seen > 20, "the scan no longer finds the statements"
    assert not foreign


def test_a_services_migrations_name_only_its_own_schema():
    for service in SERVICES:
        if service.schema is None:
            continue
        for step in service.schema.glob("*.sql"):
            sql = re.sub(r"--[^\n]*", "", step.read_text())
            named = re.findall(r"\b(?:TABLE|ON|REFERENCES|SEQUENCE)\s+([a-z_]+)\.[a-z_]+", sql)
            assert named, f"{step.name} names no table, or none with its schema"
            assert set(named) == {service.name}, step


# Calls whose peer is not written down, and why that is right.
_ANY_PEER = {
    "Health.of": "asks every service that there is whether it is ready, and nothing else",
    "Health.numbers": "reads what every service tells Prometheus",
    "Looking.search": "asks the owner of a FHIR type, whichever it is, with a client's own token",
    "Trails._get": "reads the trails of every service there is, under a scope for trails alone",
    "HttpDeadLetters.of": "asks every service that there is for events that had no effect",
    "HttpDeadLetters.again": "has one such event tried again, for an administrator",
}


def _peer_calls(tree):
    """(function, first argument) of every `peers.send(…)` and `peers.client(…)`."""
    for owner in ast.walk(tree):
        if not isinstance(owner, ast.ClassDef | ast.Module):
            continue
        prefix = f"{owner.name}." if isinstance(owner, ast.ClassDef) else ""
        for function in (node for node in owner.body if isinstance(node, Function)):
            for call in (node for node in ast.walk(function) if isinstance(node, ast.Call)):
                name = dotted(call.func)
                if re.search(r"peers\.(send|client)$", name):
                    yield prefix + function.name, call.args[0]


def test_a_service_calls_only_the_services_that_it_says_it_needs(sources_of):
    unsaid, seen = [], set()
    for service in SERVICES:
        for source in sources_of(f"src/polyclinic/services/{service.name}"):
            for where, peer in _peer_calls(source.tree):
                assert "/gateways" in source.name, f"{source.name} asks others outside gateways"
                if isinstance(peer, ast.Constant):
                    seen.add(peer.value)
                    if peer.value not in service.needs:
                        unsaid.append(f"{source.name}: {where} asks {peer.value}")
                elif where not in _ANY_PEER:
                    unsaid.append(f"{source.name}: {where} asks somebody whose name is computed")
    assert not unsaid
    assert seen >= {"identity", "records"}, "the scan no longer finds the calls"


def test_who_says_or_hears_something_has_the_tables_for_it():
    """Without them the whole process stops at its start: the sequencer finds no feed."""
    says = {service.name for service in SERVICES if service.says}
    for service in SERVICES:
        if service.says or service.reactions:
            assert outbox.SCHEMA in service.mounts, service.name
        for reaction in service.reactions:
            assert reaction.source in says, f"{service.name} hears {reaction.source}"


def test_every_needed_service_exists():
    names = {service.name for service in SERVICES}
    assert all(set(service.needs) <= names - {service.name} for service in SERVICES)


_OURS_TO_ASK = {
    "datetime.now", "datetime.utcnow", "datetime.datetime.now", "date.today", "datetime.today",
    "uuid4", "uuid.uuid4", "uuid.uuid1", "os.environ", "os.getenv", "getenv",
}  # fmt: skip


def test_only_the_foundation_asks_for_the_time_for_chance_ids_and_for_the_environment(sources_of):
    """A clock or an environment read in the middle of a rule cannot be tested or replayed."""
    asked = [
        f"{source.name}:{node.lineno}: {name}"
        for source in sources_of("src")
        if not source.name.startswith(("src/polyclinic/foundation/", "src/polyclinic/cli/"))
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Attribute | ast.Name) and (name := dotted(node)) in _OURS_TO_ASK
    ]
    assert not asked


def test_every_todo_has_the_number_of_its_issue(texts):
    words = "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"))
    naked = re.compile(rf"\b(?:{words})\b(?!\(#\d+\))")
    assert not [f"{name}: {m[0]}" for name, text in texts.items() for m in naked.finditer(text)]


# A path of somebody's machine; `/home/you` in a sentence to readers is none.
_MACHINE = re.compile(
    r"(?<![\w.}])/(?:work|root|Users)/\w[\w.-]*|(?<![\w.}])/home/(?!you\b)\w[\w.-]*/|/tmp/\w+/\w+"
)
_REGISTRY = re.compile(
    r"pypi\.|pythonhosted|registry\.npm|npmjs\.(?:org|com)/(?!package)|--index-url|artifactory"
    r"|\bnexus\b|proxy\.golang",
    re.IGNORECASE,
)
# These lines talk about registries or paths without naming one's own.
_SAYS_SO = {"tests/architecture/test_house.py"}


@pytest.mark.parametrize("pattern", [_MACHINE, _REGISTRY], ids=["machine path", "registry host"])
def test_no_tracked_file_names_a_machine_path_or_a_registry_host(texts, pattern):
    """A lock with somebody's mirror in it cannot be installed by anybody else."""
    found = [
        f"{name}: {match[0]}"
        for name, text in texts.items()
        if name not in _SAYS_SO
        for match in pattern.finditer(text)
    ]
    assert not found


def test_no_tracked_file_is_larger_than_4_mb(tracked):
    large = {file.name: size for file in tracked if (size := file.stat().st_size) > FILE_BYTES_MAX}
    assert not large


def test_no_text_of_a_licensed_code_set_is_kept(tracked, root):
    """CPT (AMA) and CDT (ADA) descriptions may not be passed on; a bare system address may."""
    import zstandard

    licensed = re.compile(
        rb"(?:ama-assn\.org/go/cpt|ada\.org/cdt|oid:2\.16\.840\.1\.113883\.6\.(?:12|13)\b)"
        rb".{0,200}?\"display\"",
        re.DOTALL,
    )
    for file in tracked:
        content = file.read_bytes()
        if file.suffix == ".zst":
            content = zstandard.ZstdDecompressor().decompressobj().decompress(content)
        assert not licensed.search(content), file.relative_to(root)


def _hashes_below(folder: Path) -> set[str]:
    """The hash of every file, and of every member of every tar."""
    found: set[str] = set()
    for file in filter(Path.is_file, folder.rglob("*")):
        found.add(hashlib.sha256(file.read_bytes()).hexdigest())
        if file.suffix in (".tar", ".tgz"):
            with tarfile.open(file) as tar:
                for member in filter(tarfile.TarInfo.isfile, tar):
                    content = tar.extractfile(member).read()
                    found.add(hashlib.sha256(content).hexdigest())
    return found


def test_nothing_of_the_shared_data_is_copied_into_the_repository(tracked, root):
    """Those files stay outside; where they are not at hand there is nothing to compare."""
    shared = root.parent / "shared" / "data"
    if not shared.is_dir():
        pytest.skip("the shared data is not beside this clone")
    theirs = _hashes_below(shared) - {hashlib.sha256(b"").hexdigest()}
    assert len(theirs) > 20
    copied = [f for f in tracked if hashlib.sha256(f.read_bytes()).hexdigest() in theirs]
    assert not copied
