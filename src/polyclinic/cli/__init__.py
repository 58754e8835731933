"""The command line: each word of it, what may follow, and one sentence when it cannot be done."""

import argparse
import asyncio
import sys
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any

import uvloop

from polyclinic.cli.audit_words import add_audit
from polyclinic.cli.backup_words import add_backup, add_escrow
from polyclinic.cli.datafolder import default_folder
from polyclinic.cli.migration_words import add_migration
from polyclinic.foundation.errors import Problem

# The commands' modules are imported when their word is given: `polyclinic token` in a script
# should not wait for every service to load.
# ruff: noqa: PLC0415


def main(words: Sequence[str] | None = None) -> int:
    """Runs one command; the answer is the exit code."""
    given = parser().parse_args(words)
    try:
        return given.command(given)
    except Problem as problem:
        print(f"polyclinic: {problem.message}", file=sys.stderr)
    except KeyboardInterrupt:
        return 130  # as shells report a command that Ctrl-C ended
    except BrokenPipeError:
        sys.stderr.close()  # whoever read our output has gone; there is nobody to tell
    return 1


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="polyclinic", description="A clinic's platform made of small independent services."
    )
    words = top.add_subparsers(required=True, metavar="COMMAND")
    _add_up(words)
    _add_serve(words)
    _add_edge(words)
    _add_migrate(words)
    _add_key(words)
    add_backup(words, _add_data, _run)
    _add_seed(words)
    _add_import(words)
    _add_adopt(words)
    _add_token(words)
    add_migration(words, _add_platform, _run)
    add_audit(words, _add_platform, _run)
    _add_channels(words)
    shown = words.add_parser("map", help="show the services and whom each one asks")
    shown.set_defaults(command=_map)
    listed = words.add_parser("settings", help="write docs/reference/settings.md")
    listed.add_argument("--to", type=Path, default=Path("docs/reference/settings.md"))
    listed.set_defaults(command=_settings)
    return top


def _add_up(words: Any) -> None:
    up = words.add_parser("up", help="run everything here, on a database of its own")
    _add_data(up)
    up.add_argument("--port", type=_port, default=8080, metavar="N")
    up.add_argument(
        "--seed",
        choices=["demo", "none"],
        help="what a new data folder holds (default: demo); an old one stays as it is",
    )
    up.add_argument("--services", type=_names, default=(), metavar="A,B", help="only these")
    up.set_defaults(command=_up)


def _add_serve(words: Any) -> None:
    serve = words.add_parser(
        "serve",
        help="run services on a database and beside peers that the environment names",
        epilog="Reads POLYCLINIC_DATABASE_URL, POLYCLINIC_PEERS and POLYCLINIC_KEY_FILE.",
    )
    serve.add_argument("names", nargs="+", metavar="NAME")
    serve.add_argument("--port", type=_port, required=True, metavar="N")
    serve.add_argument("--host", default="127.0.0.1", help="the address to listen on")
    serve.set_defaults(command=_serve)


def _add_edge(words: Any) -> None:
    edge = words.add_parser(
        "edge",
        help="run the front door alone, before services that run elsewhere",
        epilog="Reads POLYCLINIC_PEERS and POLYCLINIC_EDGE_KEY_FILE; needs no database.",
    )
    edge.add_argument("--port", type=_port, required=True, metavar="N")
    edge.add_argument("--host", default="127.0.0.1", help="the address to listen on")
    edge.set_defaults(command=_edge)


def _add_migrate(words: Any) -> None:
    migrate = words.add_parser(
        "migrate",
        help="bring roles, schemas and tables up to date, and start nothing",
        epilog="Reads POLYCLINIC_DATABASE_URL (the owner's) and POLYCLINIC_KEY_FILE.",
    )
    migrate.add_argument("names", nargs="+", metavar="NAME")
    migrate.set_defaults(command=_migrate)


def _add_key(words: Any) -> None:
    key = words.add_parser("key", help="make the key files of an installation")
    doing = key.add_subparsers(required=True, metavar="WORD")
    new = doing.add_parser("new", help="make a root key, for an installation without `up`")
    new.add_argument("file", type=Path, metavar="FILE", help="the new file")
    new.add_argument("--once", action="store_true", help="leave a file that is there as it is")
    new.set_defaults(command=_key_new)
    edge = doing.add_parser("edge", help="make the key of a front door that runs alone")
    edge.add_argument("file", type=Path, metavar="FILE", help="the new file")
    edge.add_argument("--key-file", type=Path, required=True, metavar="FILE", help="the root key")
    edge.add_argument("--once", action="store_true", help="leave a file that is there as it is")
    edge.set_defaults(command=_key_edge)
    add_escrow(doing, _add_data)


def _add_seed(words: Any) -> None:
    seed = words.add_parser("seed", help="bring the demo clinic into a running platform")
    _add_platform(seed)
    seed.set_defaults(command=_seed)


def _add_import(words: Any) -> None:
    taken = words.add_parser("import", help="bring FHIR files into a running platform")
    _add_platform(taken)
    taken.add_argument(
        "paths",
        nargs="+",
        type=Path,
        metavar="PATH",
        help="a Bundle (.json), lines of resources (.ndjson), either gzipped, a tar or a folder",
    )
    taken.set_defaults(command=_import)


def _add_adopt(words: Any) -> None:
    adopt = words.add_parser(
        "adopt", help="move what records kept of a service's types to the service, added later"
    )
    adopt.add_argument("name", metavar="NAME", help="the service that was added")
    _add_platform(adopt)
    adopt.add_argument("--dry-run", action="store_true", help="say what would move, move nothing")
    adopt.set_defaults(command=_adopt)


def _add_token(words: Any) -> None:
    token = words.add_parser("token", help="print an access token for a client")
    _add_platform(token)
    token.add_argument("--client", required=True, metavar="NAME", help="who will use it")
    token.add_argument("--scope", required=True, metavar="SCOPES", help='"system/Patient.rs …"')
    token.set_defaults(command=_token)


def _add_channels(words: Any) -> None:
    channels = words.add_parser("channels", help="try the fixtures of channels")
    doing = channels.add_subparsers(required=True, metavar="WORD")
    check = doing.add_parser("check", help="read channel files and try their fixtures")
    check.add_argument("files", nargs="+", type=Path, metavar="FILE")
    check.set_defaults(command=_check_channels)


def _add_data(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--data",
        type=Path,
        default=default_folder(),
        metavar="DIR",
        help="the data folder (default: %(default)s)",
    )


def _add_platform(command: argparse.ArgumentParser) -> None:
    _add_data(command)
    command.add_argument("--url", help="a platform that `serve` runs, instead of the data folder's")
    command.add_argument("--key-file", type=Path, metavar="FILE", help="its root or operator key")


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port from 1 to 65535")
    return int(text)


def _names(text: str) -> tuple[str, ...]:
    return tuple(filter(None, (name.strip() for name in text.split(","))))


def _run(work: Coroutine[Any, Any, int]) -> int:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


def _up(given: argparse.Namespace) -> int:
    from polyclinic.cli.up import Wanted, up

    return _run(up(Wanted(given.data, given.port, given.seed, given.services)))


def _serve(given: argparse.Namespace) -> int:
    from polyclinic.cli.serving import serve_named

    return _run(serve_named(tuple(given.names), given.host, given.port))


def _edge(given: argparse.Namespace) -> int:
    from polyclinic.cli.edging import serve_edge

    return _run(serve_edge(given.host, given.port))


def _migrate(given: argparse.Namespace) -> int:
    from polyclinic.cli.serving import migrate_named

    return _run(migrate_named(tuple(given.names)))


def _key_new(given: argparse.Namespace) -> int:
    from polyclinic.cli.keys import make_root_key

    return make_root_key(given.file, once=given.once)


def _key_edge(given: argparse.Namespace) -> int:
    from polyclinic.cli.keys import make_edge_key

    return make_edge_key(given.key_file, given.file, once=given.once)


def _seed(given: argparse.Namespace) -> int:
    from polyclinic.cli.seeding import seed_running

    return _run(seed_running(_operator(given)))


def _import(given: argparse.Namespace) -> int:
    from polyclinic.cli.importing import import_paths

    return _run(import_paths(_operator(given), given.paths))


def _adopt(given: argparse.Namespace) -> int:
    from polyclinic.cli.adopting import adopt

    return _run(adopt(_operator(given), given.name, dry_run=given.dry_run))


def _token(given: argparse.Namespace) -> int:
    async def show() -> int:
        async with _operator(given) as operator:
            print(await operator.token(given.client, given.scope))
        return 0

    return _run(show())


def _check_channels(given: argparse.Namespace) -> int:
    from polyclinic.cli.channels import check_files

    return check_files(given.files)


def _operator(given: argparse.Namespace) -> Any:
    from polyclinic.cli.operator import Operator

    return Operator.of(given.data, given.url, given.key_file)


def _map(_: argparse.Namespace) -> int:
    from polyclinic.cli.describing import show_map

    print(show_map())
    return 0


def _settings(given: argparse.Namespace) -> int:
    from polyclinic.cli.describing import settings_page

    given.to.parent.mkdir(parents=True, exist_ok=True)
    given.to.write_text(settings_page())
    print(f"Written: {given.to}")
    return 0
