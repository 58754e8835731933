"""Who may do what: administrators lead the way, operators' programs may do it for them."""

import re

from polyclinic.foundation.caller import Caller
from polyclinic.foundation.errors import Forbidden

_SCOPE = re.compile(r"system/\*\.(read|write|\*|c?r?u?d?s?)")
_OLD_STYLE = {"read": "rs", "write": "cud", "*": "cruds"}


class AdministratorsOnly(Forbidden):
    """Only an administrator sees and changes the way from the old system."""


def check(caller: Caller, interaction: str) -> None:
    """`interaction` is r or u; programs need it for everything, for a route carries everything."""
    if caller.role == "administrator":
        return
    if caller.role != "system":
        raise AdministratorsOnly
    shapes = filter(None, map(_SCOPE.fullmatch, caller.scopes))
    if not any(interaction in _OLD_STYLE.get(shape[1], shape[1]) for shape in shapes):
        raise Forbidden("Your access does not include this for migration.", place="scope")
