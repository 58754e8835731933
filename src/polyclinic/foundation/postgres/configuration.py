"""How the embedded server is set: for one small machine, durable, and silent about patients."""

import os
from collections.abc import Mapping
from pathlib import Path

# Only our own socket folder leads in, and only with a password; a backup is a kind of replication.
HOST_BASED_ACCESS = "local all all scram-sha-256\nlocal replication polyclinic scram-sha-256\n"
# While a backup is recovered nobody knows its password; its socket folder is private (0700).
UNLOCKED = "local all polyclinic trust\n"

SETTINGS: Mapping[str, str] = {
    "listen_addresses": "",
    "port": "5432",  # only names the socket file
    "unix_socket_permissions": "0700",
    "password_encryption": "scram-sha-256",
    "max_connections": "150",  # eight at most a service and process, and replicas
    "synchronous_commit": "on",
    "wal_compression": "off",  # the wheel has pglz only, which costs more time than it saves
    "max_wal_size": "1GB",
    "checkpoint_timeout": "10min",
    "random_page_cost": "1.1",
    "max_parallel_workers_per_gather": "0",  # two cores are better spent on two requests
    "jit": "off",
    "huge_pages": "off",
    "autovacuum_naptime": "30s",
    "autovacuum_vacuum_scale_factor": "0.1",
    "autovacuum_analyze_scale_factor": "0.05",
    "track_activity_query_size": "100",  # bytes; the smallest that PostgreSQL takes
    "update_process_title": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",
    "default_text_search_config": "pg_catalog.simple",
    # The log. An ERROR may quote a value in its first line, so statements' errors stay out of it
    # altogether (in this setting's order LOG ranks above ERROR); the caller sees them anyway.
    "log_min_messages": "log",
    "log_min_error_statement": "panic",
    "log_statement": "none",
    "log_min_duration_statement": "-1",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "log_error_verbosity": "terse",
    "log_line_prefix": "%m [%p] ",
    "log_checkpoints": "off",
    "log_autovacuum_min_duration": "-1",
    "logging_collector": "on",
    "log_filename": "postgresql-%a.log",  # a week of files, each written over a week later
    "log_truncate_on_rotation": "on",
    "log_rotation_age": "1d",
    "log_rotation_size": "0",
    "log_file_mode": "0600",
}


def shared_buffers() -> str:
    """128 MB on a machine of less than 4 GB, else 256 MB."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return "256MB" if memory >= 4 << 30 else "128MB"


def configuration(sockets: Path, log: Path, more: Mapping[str, str]) -> str:
    """The text of postgresql.conf; written anew at each start, so that it is always ours."""
    settings = {
        **SETTINGS,
        "shared_buffers": shared_buffers(),
        "unix_socket_directories": str(sockets),
        "log_directory": str(log),
        **more,
    }
    lines = [f"{name} = {_quoted(value)}" for name, value in settings.items()]
    return "\n".join(["# Written by polyclinic at each start; changes here are lost.", *lines, ""])


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
