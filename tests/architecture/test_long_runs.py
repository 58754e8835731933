"""The big numbers that the documents tell are those that the last long runs counted."""

import ast
import importlib.util
import sys

import pytest

PAGE = "docs/reference/long-runs.md"
REPORT = """\
<testsuites><testsuite timestamp="2031-05-06T07:08:09">
  <testcase file="tests/x/test_a.py" name="test_it_holds[1]" time="2.4">
    <properties><property name="kills" value="1500"/></properties>
  </testcase>
  <testcase file="tests/x/test_a.py" name="test_it_holds[2]" time="3.1">
    <properties><property name="kills" value="30"/></properties>
  </testcase>
  <testcase file="tests/x/test_a.py" name="test_it_lasts" time="1">{}</testcase>
</testsuite></testsuites>
"""


@pytest.fixture
def writer(root, tmp_path, monkeypatch):
    """The script, at work on a repository with two long tests and a page of an earlier run."""
    spec = importlib.util.spec_from_file_location("writer", root / "scripts/write_long_runs.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "writer", module)
    spec.loader.exec_module(module)
    (tmp_path / "tests/x").mkdir(parents=True)
    (tmp_path / "tests/x/test_a.py").write_text(
        "def test_it_holds(): ...\ndef test_it_lasts(): ..."
    )
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "PAGE", tmp_path / "page.md")
    module.PAGE.write_text(
        "| [It lasts](../../tests/x/test_a.py) | before | 1 | 9 | 2030-01-01 |\n"
        "| [It is gone](../../tests/x/test_a.py) | before | 1 | 9 | 2030-01-01 |\n"
    )
    return module


def written(writer, tmp_path, last=""):
    (tmp_path / "long.xml").write_text(REPORT.format(last))
    writer.main(tmp_path / "long.xml")
    page = writer.PAGE.read_text()
    return [line.split(" | ")[:4] for line in page.splitlines() if line.startswith("| [")]


def test_the_runs_of_a_test_are_added_up_in_one_line(writer, tmp_path):
    assert written(writer, tmp_path) == [
        ["| [It holds](../../tests/x/test_a.py)", "1,530 kills", "2", "6"],
        ["| [It lasts](../../tests/x/test_a.py)", "", "1", "1"],
    ]
    assert "| 2031-05-06, " in writer.PAGE.read_text()


def test_a_test_that_was_left_out_keeps_the_line_of_its_last_run(writer, tmp_path):
    _, lasts = written(writer, tmp_path, "<skipped/>")
    assert lasts == ["| [It lasts](../../tests/x/test_a.py)", "before", "1", "9"]


@pytest.mark.parametrize("how", ["failure", "error"])
def test_a_run_with_a_failure_writes_nothing(writer, tmp_path, how):
    before = writer.PAGE.read_text()
    with pytest.raises(SystemExit, match="test_it_lasts failed"):
        written(writer, tmp_path, f"<{how}/>")
    assert writer.PAGE.read_text() == before


def _is_long(node):
    return any(isinstance(n, ast.Attribute) and n.attr == "long" for n in ast.walk(node))


def test_every_long_test_has_a_line_of_a_run_that_it_passed(root, sources_of):
    """A big number that nobody ever ran is a claim: `make test-long ARGS=…` writes its line."""
    page, missing, seen = (root / PAGE).read_text(), [], 0
    for source in sources_of("tests"):
        if source.path.parent.name == "architecture":
            continue
        marked = [
            node.name
            for node in source.tree.body
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            and any(map(_is_long, node.decorator_list))
            and node.name.startswith("test_")
        ]
        # Where a fixture's parameters carry the mark, one line of the file must do; those of a
        # conftest are used by the files beside it.
        folder = source.name.removesuffix("conftest.py")
        ends = [f"(../../{folder}"] if _is_long(source.tree) else []
        for name in marked:
            text = name.removeprefix("test_").replace("_", " ")
            ends.append(f"| [{text[0].upper()}{text[1:]}](../../{source.name})")
        seen += len(marked)
        missing += [end for end in ends if end not in page]
    assert seen > 8, "the scan no longer finds the long tests"
    assert not missing
