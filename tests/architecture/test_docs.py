"""What the documents say is so: links lead somewhere, commands exist, made pages are current."""

import argparse
import itertools
import re
import shlex
import subprocess
import tomllib
from pathlib import Path
from urllib.parse import unquote

import pytest

from polyclinic.cli import parser
from polyclinic.cli.describing import settings_page, show_map

MARKS = ("run", "rendered", "untested")
DECISION_LINES_MAX = 60  # one page
PICTURE_BYTES_MAX = 300 * 1024
_BLOCK = re.compile(r"^(?P<indent> *)```(?P<kind>\w*)\n(?P<text>.*?)^(?P=indent)```$", re.M | re.S)


@pytest.fixture(scope="module")
def pages(root):
    """The text of every document, by its path in the repository."""
    files = [*root.glob("*.md"), *(root / "docs").rglob("*.md")]
    return {file.relative_to(root).as_posix(): file.read_text() for file in sorted(files)}


def blocks(pages, *kinds):
    """(page, mark, text) of each block of commands; the mark is the word above it."""
    for page, text in pages.items():
        for found in _BLOCK.finditer(text):
            if found["kind"] in kinds:
                above = text[: found.start()].rstrip("\n").rpartition("\n")[2].strip()
                mark = above.strip("*") if re.fullmatch(r"\*\w+\*", above) else None
                lines = found["text"].splitlines()
                yield page, mark, "\n".join(line.removeprefix(found["indent"]) for line in lines)


def test_the_pages_of_the_root_are_there(root):
    for name in ("README.md", "ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE"):
        assert (root / name).stat().st_size > 500, name
    assert "Apache License" in (root / "LICENSE").read_text()


def test_the_map_is_short(pages):
    assert pages["ARCHITECTURE.md"].count("\n") <= 200


def test_the_changelog_has_the_form_that_readers_know(pages):
    heads = re.findall(r"^## (.+)$", pages["CHANGELOG.md"], re.M)
    assert heads[0] == "[Unreleased]"
    assert all(re.fullmatch(r"\[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d", head) for head in heads[1:])
    kinds = set(re.findall(r"^### (.+)$", pages["CHANGELOG.md"], re.M))
    assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_the_page_of_settings_is_the_one_that_the_settings_make(pages):
    assert pages["docs/reference/settings.md"] == settings_page(), "run `polyclinic settings`"


def test_the_map_of_services_is_the_one_that_the_services_make(pages):
    assert show_map() in pages["ARCHITECTURE.md"], "copy what `polyclinic map` prints"


def test_every_dependency_has_a_line_that_says_why(root, pages):
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    extra = project["optional-dependencies"].values()
    wanted = [*project["dependencies"], *itertools.chain.from_iterable(extra)]
    page = pages["docs/reference/dependencies.md"]
    for requirement in wanted:
        name = re.match(r"[A-Za-z0-9._-]+", requirement)[0]
        assert re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", page), name


def test_decisions_are_numbered_without_gaps_listed_and_one_page_long(root):
    folder = root / "docs/decisions"
    files = sorted(file for file in folder.glob("*.md") if file.name != "README.md")
    assert [file.name[:5] for file in files] == [f"{n:04}-" for n in range(1, len(files) + 1)]
    listed = (folder / "README.md").read_text()
    for file in files:
        text = file.read_text()
        assert text.startswith(f"# {file.name[:4]} "), file.name
        assert "**Decided.**" in text, file.name
        assert text.count("\n") <= DECISION_LINES_MAX, file.name
        assert f"({file.name})" in listed, file.name


def test_every_link_between_pages_leads_somewhere(root, pages):
    broken = []
    for page, text in pages.items():
        plain = _BLOCK.sub("", text)
        for target in re.findall(r"\]\(([^)\s]+)\)", plain):
            if not target.startswith(("http://", "https://", "#", "mailto:")):
                path = (root / page).parent / unquote(target.partition("#")[0])
                if not path.resolve().exists():
                    broken.append(f"{page}: {target}")
    assert not broken


def test_every_page_can_be_reached_from_the_readme(root, pages):
    seen, waiting = set(), ["README.md"]
    while waiting:
        page = waiting.pop()
        if page in seen:
            continue
        seen.add(page)
        for target in re.findall(r"\]\(([^)\s#]+)", pages.get(page, "")):
            if not target.startswith("http"):
                path = ((root / page).parent / target).resolve()
                path = path / "README.md" if path.is_dir() else path
                if path.is_relative_to(root) and path.suffix == ".md":
                    waiting.append(path.relative_to(root).as_posix())
    assert set(pages) - seen == set()


def test_every_page_that_the_code_names_exists(root, texts):
    """A comment that points to a page is worth nothing when the page is elsewhere."""
    numbers = {file.name[:4] for file in (root / "docs/decisions").glob("0*.md")}
    wrong = []
    for name, text in texts.items():
        if name.endswith(".md") or not name.startswith(("src/", "scripts/", "tests/", "bench/")):
            continue
        wrong += [
            f"{name}: {n}" for n in re.findall(r"decisions/(\d{4})", text) if n not in numbers
        ]
        for path in re.findall(r"\b(?:docs/)?((?:reference|guides|runbooks)/[\w-]+\.md)", text):
            if not (root / "docs" / path).exists() and name != "tests/architecture/test_docs.py":
                wrong.append(f"{name}: {path}")
    assert not wrong


def test_every_block_of_commands_says_how_far_to_trust_it(pages):
    found = list(blocks(pages, "sh", "bash", "shell", "console"))
    assert len(found) > 15
    assert not [(page, text) for page, mark, text in found if mark not in MARKS]


def test_every_block_of_commands_is_a_script_that_a_shell_can_read(pages):
    for page, _, text in blocks(pages, "sh"):
        done = subprocess.run(["sh", "-n"], input=text, text=True, capture_output=True, check=False)
        assert done.returncode == 0, f"{page}: {done.stderr}\n{text}"


def _calls(text):
    """The words behind each `polyclinic` of a script, up to what ends the command."""
    joined = re.sub(r"<<'END'.*?^END$", "", text, flags=re.M | re.S).replace("\\\n", " ")
    for line in joined.splitlines():
        for found in re.finditer(r"(?:^|\.venv/bin/)polyclinic\s+([^|)#;&]+)", line):
            words = shlex.split(found[1])
            yield words[: words.index("<")] if "<" in words else words


def test_every_polyclinic_command_in_the_docs_is_one_that_there_is(pages):
    class Quiet(argparse.ArgumentParser):
        def error(self, message):
            raise ValueError(message)

    seen = set()
    for page, _, text in blocks(pages, "sh"):
        for words in _calls(text):
            top = parser()
            top.__class__ = Quiet
            for action in top._subparsers._group_actions:
                for one in action.choices.values():
                    one.__class__ = Quiet
            try:
                top.parse_args(words)
            except ValueError as refused:
                pytest.fail(f"{page}: polyclinic {shlex.join(words)}: {refused}")
            seen.add(words[0])
    assert seen >= {"import", "token", "serve", "seed"}, "the scan no longer finds the commands"


def test_every_make_word_in_the_docs_is_one_that_there_is(root, pages):
    known = set(re.findall(r"^([a-z-]+):", (root / "Makefile").read_text(), re.M))
    used = {
        word
        for page, _, text in blocks(pages, "sh")
        for word in re.findall(r"^make ([a-z-]+)", text, re.M)
    }
    assert "up" in used
    assert used <= known


def test_every_variable_in_the_docs_is_a_setting(pages):
    known = set(re.findall(r"`(POLYCLINIC_\w+)`", settings_page()))
    for page, text in pages.items():
        assert set(re.findall(r"\bPOLYCLINIC_[A-Z_]+\b", text)) <= known, page


def test_the_readme_shows_one_picture_that_is_not_heavy(root, pages):
    pictures = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", pages["README.md"])
    assert len(pictures) == 1
    file = root / pictures[0]
    assert file.stat().st_size <= PICTURE_BYTES_MAX
    assert file.read_bytes().startswith(b"\x89PNG")


def test_no_page_speaks_of_files_that_a_clone_does_not_have(pages):
    """The plan that the house was built from lies outside the repository."""
    outside = re.compile(r"\bhouse\.md\b|\.\./shared|\bstyle\.md\b")
    assert not [page for page, text in pages.items() if outside.search(text)]


def test_no_source_speaks_of_files_that_a_clone_does_not_have(texts):
    outside = re.compile(r"\bhouse" + r"\.md\b|\bstyle" + r"\.md\b")
    assert not [
        name
        for name, text in texts.items()
        if name.startswith(("src/", "scripts/", "Makefile", "bench/")) and outside.search(text)
    ]


def test_the_documents_stay_in_their_four_rooms(root):
    rooms = {path.name for path in (root / "docs").iterdir() if path.is_dir()}
    assert rooms == {"tutorials", "guides", "reference", "decisions", "runbooks", "pictures"}
    assert not [
        p for p in (root / "docs").glob("*") if p.is_file() and p != Path(root, "docs/README.md")
    ]
