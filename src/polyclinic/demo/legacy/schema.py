"""The old clinic's tables, and the triggers that log every change of what a chart or a bill is."""

import re
from importlib import resources

SQL = (resources.files("polyclinic.demo.legacy") / "schema.sql").read_text()
_TABLE = re.compile(r"CREATE TABLE (\w+) \((.*?)\n\);", re.S)


def _columns(body: str) -> tuple[str, ...]:
    return tuple(re.findall(r"^ {4}(\w+)", body, re.M))


TABLES = {name: _columns(body) for name, body in _TABLE.findall(SQL)}
KEYS = {
    name: found[1] if (found := re.search(r"^ {4}(\w+)[^\n]*PRIMARY KEY", body, re.M)) else ""
    for name, body in _TABLE.findall(SQL)
}
WATCHED = tuple(name for name, columns in TABLES.items() if "upd_ts" in columns)


def triggers() -> str:
    """One for each watched table and each kind of change."""
    made: list[str] = []
    for table in WATCHED:
        key = KEYS[table]
        for op, row in (("INSERT", "NEW"), ("UPDATE", "NEW"), ("DELETE", "OLD")):
            made.append(
                f"CREATE TRIGGER chg_{table}_{op.lower()} AFTER {op} ON {table} BEGIN"  # noqa: S608 - our own names
                f" INSERT INTO chg_log (tbl, pk, op, origin) VALUES ('{table}', {row}.{key},"
                f" '{op[0]}', coalesce((SELECT tag FROM chg_origin), '')); END;"
            )
    return "\n".join(made)
