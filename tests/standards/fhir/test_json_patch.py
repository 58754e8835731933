"""JSON Patch does what RFC 6902 says, with its own examples (appendix A), and stays small."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyclinic.standards.fhir.codec import BadJson, decode_list
from polyclinic.standards.fhir.json_patch import BadPatch, NotApplied, applied, is_equal


def op(name, path, **more):
    return {"op": name, "path": path, **({"from": more.pop("source")} if "source" in more else {}),
            **more}  # fmt: skip


@pytest.mark.parametrize(
    ("document", "operations", "expected"),
    [
        ({"foo": "bar"}, [op("add", "/baz", value="qux")], {"foo": "bar", "baz": "qux"}),
        ({"foo": ["bar", "baz"]}, [op("add", "/foo/1", value="qux")],
         {"foo": ["bar", "qux", "baz"]}),
        ({"baz": "qux", "foo": "bar"}, [op("remove", "/baz")], {"foo": "bar"}),
        ({"foo": ["bar", "qux", "baz"]}, [op("remove", "/foo/1")], {"foo": ["bar", "baz"]}),
        ({"baz": "qux"}, [op("replace", "/baz", value="boo")], {"baz": "boo"}),
        ({"foo": {"bar": "baz", "waldo": "fred"}, "qux": {"corge": "grault"}},
         [op("move", "/qux/thud", source="/foo/waldo")],
         {"foo": {"bar": "baz"}, "qux": {"corge": "grault", "thud": "fred"}}),
        ({"foo": ["all", "grass", "cows", "eat"]}, [op("move", "/foo/3", source="/foo/1")],
         {"foo": ["all", "cows", "eat", "grass"]}),
        ({"baz": "qux", "foo": ["a", 2, "c"]},
         [op("test", "/baz", value="qux"), op("test", "/foo/1", value=2)],
         {"baz": "qux", "foo": ["a", 2, "c"]}),
        ({"foo": "bar"}, [op("add", "/child", value={"grandchild": {}})],
         {"foo": "bar", "child": {"grandchild": {}}}),
        ({"foo": ["bar"]}, [op("add", "/foo/-", value=["abc", "def"])],
         {"foo": ["bar", ["abc", "def"]]}),
        ({"/": 9, "~1": 10}, [op("test", "/~01", value=10), op("test", "/~1", value=9)],
         {"/": 9, "~1": 10}),
        ({"a": 1}, [op("copy", "/b", source="/a"), op("replace", "", value={"c": 3})], {"c": 3}),
        ({"": 1, "a": Decimal("1.0")}, [op("test", "/", value=1), op("test", "/a", value=1)],
         {"": 1, "a": Decimal("1.0")}),
    ],
)  # fmt: skip
def test_what_the_standard_shows(document, operations, expected):
    before = repr(document)
    assert applied(document, operations) == expected
    assert repr(document) == before


@pytest.mark.parametrize(
    "operations",
    [
        [op("test", "/baz", value="bar")], [op("test", "/a", value=True)],
        [op("test", "/n", value=10**400)], [op("remove", "/none")], [op("remove", "")],
        [op("replace", "/none", value=1)], [op("add", "/none/b", value=1)],
        [op("add", "/list/-1", value=1)], [op("add", "/list/3", value=1)],
        [op("add", "/list/01", value=1)], [op("remove", "/list/-")],
        [op("add", "/list/1000000000", value=1)], [op("add", "/list/x", value=1)],
        [op("move", "/o/o/x", source="/o")], [op("copy", "/x", source="/none")],
        [op("add", "/a/b", value=1)], [op("add", "/list/\u0661", value=1)],
    ],
)  # fmt: skip
def test_what_does_not_fit_changes_nothing(operations):
    document = {"baz": "qux", "a": 1, "n": 1, "list": [1, 2], "o": {"o": {}}}
    with pytest.raises(NotApplied) as refused:
        applied(document, [op("add", "/new", value=1), *operations])
    assert refused.value.place == ("patch" if operations[0]["path"] == "" else "patch[1]")


@pytest.mark.parametrize(
    "operation",
    ["x", {}, {"op": "add"}, {"op": "add", "path": "/a"}, {"op": "test", "path": "/a"},
     {"op": "move", "path": "/a"}, {"op": "spend", "path": "/a"},
     {"op": "add", "path": "a", "value": 1},
     {"op": "add", "path": "/~2", "value": 1}, {"op": "add", "path": 3, "value": 1},
     {"op": ["add"], "path": "/a", "value": 1}],
)  # fmt: skip
def test_what_is_no_patch_is_refused(operation):
    with pytest.raises(BadPatch):
        applied({}, [operation])


def test_a_small_patch_cannot_make_a_huge_document():
    with pytest.raises(NotApplied, match="too large"):
        applied({"a": []}, [op("copy", "/a/-", source="") for _ in range(60)])
    with pytest.raises(BadPatch, match="at most"):
        applied({}, [op("add", "/a", value=1)] * 1001)
    deep: dict = {}
    for _ in range(5000):
        deep = {"a": deep}
    with pytest.raises(NotApplied, match="too deeply"):
        applied({}, [op("add", "/a", value=deep)])


def test_a_patch_is_decoded_like_everything_else():
    assert decode_list(b'[{"op":"test","value":1.50}]')[0]["value"] == Decimal("1.50")
    for bad in (b"{}", b"[", b'[{"a":1,"a":2}]', b"[NaN]", b'["\\u0000"]', b"[" * 100_000):
        with pytest.raises(BadJson):
            decode_list(bad)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text(max_size=2),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b", "/", "~", ""]), inner, max_size=3)
    ),
    max_leaves=8,
)
PATHS = st.lists(st.sampled_from(["a", "b", "~1", "~0", "", "0", "1", "-"]), max_size=3).map(
    lambda steps: "".join("/" + step for step in steps)
)


@settings(max_examples=400, derandomize=True, deadline=None, database=None)
@given(VALUES, PATHS, VALUES)
def test_what_is_added_is_found_and_removing_it_restores(document, path, value):
    try:
        made = applied(document, [op("add", path, value=value)])
    except NotApplied:
        return
    if not path.endswith("/-"):
        assert applied(made, [op("test", path, value=value)]) == made
    replaces = path and _is_there(document, path)
    if path and not replaces and not path.endswith("/-"):
        assert is_equal(applied(made, [op("remove", path)]), document)


def _is_there(document, path):
    """Whether adding replaces a member of an object (in a list it makes room instead)."""
    *above, last = path.split("/")
    for step in (one.replace("~1", "/").replace("~0", "~") for one in above[1:]):
        document = document[int(step) if isinstance(document, list) else step]
    return isinstance(document, dict) and last.replace("~1", "/").replace("~0", "~") in document
