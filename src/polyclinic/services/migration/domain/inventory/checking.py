"""A finding that comes in is looked at once more: nothing in it may name somebody."""

from polyclinic.foundation.errors import Invalid
from polyclinic.services.migration.domain.inventory.findings import (
    COLUMNS_MAX,
    ENDPOINTS_MAX,
    NAME_MAX,
    TABLES_MAX,
    Finding,
)
from polyclinic.services.migration.domain.inventory.templates import ID, is_id, names, split
from polyclinic.services.migration.domain.inventory.traffic import METHODS


def check_finding(finding: Finding) -> None:
    """Raises Invalid for an address that is no template, and for what is too long or too many."""
    if len(finding.endpoints) > ENDPOINTS_MAX or len(finding.tables) > TABLES_MAX:
        raise Invalid("More endpoints or tables than an old system has.", place="finding")
    for number, endpoint in enumerate(finding.endpoints):
        parts = split(endpoint.template)
        if endpoint.method not in METHODS or any(is_id(part) and part != ID for part in parts):
            raise Invalid("A method and a template, ids as {}.", place=f"endpoints[{number}]")
        for given in (endpoint.parameters, endpoint.fields):
            if set(given) - set(names(given)):
                raise Invalid("Names of parameters and fields only.", place=f"endpoints[{number}]")
    for number, table in enumerate(finding.tables):
        said = [table.name, *(column.name for column in table.columns)]
        if len(table.columns) > COLUMNS_MAX or any(len(each) > NAME_MAX for each in said):
            raise Invalid("Names longer or more than a database has.", place=f"tables[{number}]")
