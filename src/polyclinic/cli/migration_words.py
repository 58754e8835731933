"""The words behind `polyclinic migration`."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

# The modules are imported when their word is given, as in polyclinic.cli.
# ruff: noqa: PLC0415

Run = Callable[[Any], int]
# The sources that are files, each as often as there are some.
_FILES = (
    ("--log", "an access log, combined or JSON, .gz too"),
    ("--openapi", "an OpenAPI or Swagger page, JSON or YAML"),
    ("--har", "a recording of a browser"),
    ("--schema", "a dump of information_schema.columns, CSV or JSON"),
    ("--csv", "a folder of exports, a table each"),
)


def add_migration(
    words: Any, add_platform: Callable[[argparse.ArgumentParser], None], run: Run
) -> None:
    """`run` carries a coroutine out; `add_platform` adds the words that name a platform."""
    top = words.add_parser("migration", help="leave an old system, one capability at a time")
    inner = top.add_subparsers(required=True, metavar="WORD")
    _add_inventory(inner, add_platform, run)
    _add_plan(inner, add_platform, run)
    _add_demo(inner, run)


def _add_inventory(
    inner: Any, add_platform: Callable[[argparse.ArgumentParser], None], run: Run
) -> None:
    one = inner.add_parser(
        "inventory",
        help="find out what the old system does",
        epilog="Names, shapes and counts are sent; rows, tokens and values of requests are not.",
    )
    one.add_argument("name", metavar="NAME", help="of the old system, in small letters")
    one.add_argument("--title", default="", help="what people call it")
    for word, what in _FILES:
        one.add_argument(word, type=Path, action="append", default=[], metavar="PATH", help=what)
    one.add_argument("--database", metavar="URL", help="SQLAlchemy's address of its database")
    one.add_argument("--roles", type=Path, metavar="FILE", help="lines of login,role")
    one.add_argument("--host", default="", help="of recordings, only what was asked of this host")
    one.add_argument("--dry-run", action="store_true", help="show what was found, send nothing")
    add_platform(one)

    def command(given: argparse.Namespace) -> int:
        from polyclinic.cli.migrating import Wanted, inventory

        wanted = Wanted(
            given.name,
            given.title,
            tuple(given.openapi),
            tuple(given.har),
            tuple(given.log),
            given.roles,
            given.database,
            tuple(given.schema),
            tuple(given.csv),
            given.host,
        )
        return run(inventory(None if given.dry_run else _operator(given), wanted))

    one.set_defaults(command=command)


def _add_plan(
    inner: Any, add_platform: Callable[[argparse.ArgumentParser], None], run: Run
) -> None:
    one = inner.add_parser("plan", help="show the scores and the waves")
    one.add_argument("name", metavar="NAME")
    add_platform(one)

    def command(given: argparse.Namespace) -> int:
        from polyclinic.cli.migrating import plan

        return run(plan(_operator(given), given.name))

    one.set_defaults(command=command)


def _add_demo(inner: Any, run: Run) -> None:
    one = inner.add_parser("demo", help="play the whole story with a made-up old clinic")
    one.add_argument(
        "--keep", type=Path, metavar="DIR", help="where to leave the clinic and the platform"
    )

    def command(given: argparse.Namespace) -> int:
        from polyclinic.cli.migration_story import tell

        return run(tell(given.keep))

    one.set_defaults(command=command)


def _operator(given: argparse.Namespace) -> Any:
    from polyclinic.cli.operator import Operator

    return Operator.of(given.data, given.url, given.key_file)
