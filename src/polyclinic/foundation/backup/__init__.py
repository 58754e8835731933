"""Copies of the database: taken while it works, proven, and recovered to a moment in a new folder.

A folder of backups:

    backups.json   whose it is           base/<label>/   a copy and `backup.json` that describes it
    wal/           the log, by piece     base/unfinished-*   what broke off; of no worth

No key is in it: without the root key's escrow (`foundation/escrow.py`) it opens nothing.
Which tools make the copies is a provider's matter (`provider.py`); PostgreSQL's own are built in.
"""
