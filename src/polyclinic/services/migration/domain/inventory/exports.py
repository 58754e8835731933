"""A folder of CSV exports as tables and the links between them."""

from collections.abc import Iterable, Mapping

from polyclinic.services.migration.domain.inventory.findings import TABLES_MAX, BadLine, Finding
from polyclinic.services.migration.domain.inventory.links import Measured, Pair, candidates, judged
from polyclinic.services.migration.domain.inventory.tables import BAD_SHOWN, Export, read_csv


def read_exports(files: Mapping[str, Iterable[str]], label: str = "") -> Finding:
    """Each file is a table by its own name; which columns are keys shows in their values."""
    exports = {name: read_csv(name, lines) for name, lines in list(files.items())[:TABLES_MAX]}
    tables = tuple(export.table for export in exports.values())

    def measure(pair: Pair) -> Measured | None:
        return measured(pair, exports)

    bad = [
        BadLine(each.line, f"{name}: {each.reason}")
        for name, export in exports.items()
        for each in export.bad_lines
    ]
    return Finding(
        source="csv",
        label=label,
        tables=tables,
        links=judged(candidates(tables), (), measure),
        read=sum(export.rows for export in exports.values()),
        bad=sum(export.bad for export in exports.values()),
        bad_lines=tuple(bad[:BAD_SHOWN]),
    )


def measured(pair: Pair, exports: Mapping[str, Export]) -> Measured:
    mine = exports[pair.table].samples[pair.column].values
    theirs = exports[pair.to_table].samples[pair.to_column].values
    return Measured(pair, len(mine), len(mine & theirs), len(theirs))
