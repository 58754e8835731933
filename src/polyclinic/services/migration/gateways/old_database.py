"""Opens an old system's database by its address."""

from polyclinic.services.migration.domain.crossing import Source
from polyclinic.services.migration.gateways.old_rows import OldRows


def open_rows(url: str, source: Source) -> OldRows:
    """The kind of database that the address says."""
    # SQLAlchemy is a third of what a process takes to start, and most clinics have no old database.
    # ruff: noqa: PLC0415
    if url.startswith("sqlite"):
        from polyclinic.services.migration.gateways.old_sqlite import SqliteRows

        return SqliteRows(url, source.log)
    from polyclinic.services.migration.gateways.old_postgres import PostgresRows

    return PostgresRows(url, source)
