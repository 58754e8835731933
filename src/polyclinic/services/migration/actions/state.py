"""What a running migration service holds; all of it is safe to lose."""

from dataclasses import dataclass

from polyclinic.foundation.database import Database
from polyclinic.foundation.service import Running
from polyclinic.services.migration.settings import MigrationSettings


@dataclass(slots=True)
class Passage:
    """The state of the service."""

    running: Running

    @property
    def settings(self) -> MigrationSettings:
        return self.running.settings

    @property
    def database(self) -> Database:
        return self.running.database
