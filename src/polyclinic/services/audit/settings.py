"""Audit's settings, each with a sentence in `NOTES`."""

from polyclinic.foundation.settings import Settings


class AuditSettings(Settings, frozen=True, kw_only=True):
    """Where checkpoints go, and what patients are told of who looked."""

    anchor_file: str = ""
    origin: str = "polyclinic/audit"
    checkpoint_rows: int = 1000
    staff_names: bool = True


NOTES = {
    "anchor_file": "The file that signed checkpoints are added to; keep it where the database's "
    "administrators cannot write. Empty: checkpoints stay in the database only.",
    "origin": "The name of this log in its checkpoints; it should be the clinic's own.",
    "checkpoint_rows": "After how many new rows a checkpoint is signed at once; else every 10 s.",
    "staff_names": "Whether patients are told the names of staff who saw their record, or only "
    "their roles.",
}
