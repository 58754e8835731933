"""The access log as a trail: what the audit service gathers and anybody may prove."""

from typing import LiteralString

from polyclinic.foundation.service import Trail
from polyclinic.foundation.trail import WINDOW

ROWS: LiteralString = f"""
    SELECT position, tx, at, request, patient, count, type, action, outcome, actor, client, id
    FROM access_log WHERE {WINDOW}"""

access_trail = Trail("access", ROWS, "SELECT nextval('access_position')")
