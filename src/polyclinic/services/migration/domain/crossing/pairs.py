"""What stands for what: tables and columns of the old system, and elements of FHIR, as YAML."""

import re
from typing import Annotated, Any, Literal
from zoneinfo import available_timezones

import msgspec
import yaml
from msgspec import Meta, Struct

from polyclinic.foundation.errors import Invalid
from polyclinic.standards.fhir.definitions import resource_types

YAML_MAX = 256 * 1024
# Names go into SQL: the source's own identifiers and nothing else.
Name = Annotated[str, Meta(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,62}$")]
System = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9-]{0,40}$")]
PATH = re.compile(r"([A-Za-z]+)(?:\[([^\]]+)\])?(?:\.|$)")


class Log(Struct, frozen=True, forbid_unknown_fields=True):
    """The source's own log of changes; `tag` is where a writer names himself (`table.column`)."""

    table: Name
    number: Name
    of: Name
    key: Name
    origin: Name
    tag: Annotated[str, Meta(pattern=r"^[A-Za-z_]\w*\.[A-Za-z_]\w*$")]


class Field(Struct, frozen=True, forbid_unknown_fields=True, rename={"as_": "as", "with_": "with"}):
    """One column and where it stands in the resource.

    as   text, date (`form` as strptime writes it), moment (what a clock in `zone` shows, as `form`
         writes it), number, code (`codes`; `also`: those of ours that go back as one of theirs and
         never come from there), flag (`yes`, `no`), link (a row of `table`, found by its column
         `by`), presence (`filled` or `empty`: never written back), copy (of a column that stands
         elsewhere too, if `where` has a value)
    other  where a `number` that is none goes, as text
    with what else is set where there is a value
    """

    column: Name
    path: str
    as_: Literal["text", "date", "moment", "number", "code", "flag", "link", "presence", "copy"] = (
        "text"
    )
    need: bool = False
    form: str = "%Y-%m-%d"
    zone: str = ""
    codes: dict[str, str] = {}
    also: dict[str, str] = {}
    yes: str = "Y"
    no: str = "N"
    filled: str = ""
    empty: str = ""
    table: str = ""
    by: str = ""
    with_: dict[str, str] = {}
    other: str = ""
    where: str = ""

    @property
    def returns(self) -> bool:
        """Whether the column is written back from here."""
        return self.as_ not in ("presence", "copy")


class Pair(Struct, frozen=True, forbid_unknown_fields=True):
    """A table and a FHIR type. `absent`: a row with these values counts as deleted."""

    name: Name
    table: Name
    key: Name
    type: str
    fields: tuple[Field, ...]
    always: dict[str, Any] = {}
    # What a resource has that begins as a row; later it is whatever it was made here.
    first: dict[str, Any] = {}
    absent: dict[str, Any] = {}
    # How a resource is over whose row is gone: nothing of a chart is deleted; null takes away.
    ended: dict[str, Any] = {}
    number: Literal["integer", "text"] = "integer"
    # Values of columns that a new row needs and no resource says, and a column for the time.
    fresh: dict[str, Any] = {}
    touch: str = ""

    @property
    def columns(self) -> tuple[str, ...]:
        """All that is read of a row."""
        names = (self.key, *(field.column for field in self.fields), *self.absent)
        return tuple(dict.fromkeys(names))


class Source(Struct, frozen=True, forbid_unknown_fields=True):
    """An old system: its pairs in the order in which they are moved, and its log."""

    system: System
    log: Log
    pairs: Annotated[tuple[Pair, ...], Meta(min_length=1)]

    def pair(self, name: str) -> Pair | None:
        return next((pair for pair in self.pairs if pair.name == name), None)

    def of_table(self, table: str) -> Pair | None:
        return next((pair for pair in self.pairs if pair.table == table), None)

    def of_type(self, kind: str) -> tuple[Pair, ...]:
        return tuple(pair for pair in self.pairs if pair.type == kind)


def read(text: bytes) -> Source:
    """Raises Invalid naming the place."""
    if len(text) > YAML_MAX:
        raise Invalid("A source has at most 256 kB.", place="body")
    try:
        found = msgspec.convert(yaml.safe_load(text), Source)
    except (yaml.YAMLError, ValueError, RecursionError) as broken:
        if isinstance(broken, msgspec.ValidationError):
            said, _, place = str(broken).partition(" - at `$")
            raise Invalid(f"{said}.", place=place.rstrip("`").lstrip(".") or "body") from None
        raise Invalid("This is no YAML.", place="body") from broken
    for pair in found.pairs:
        _check(found, pair)
    return found


def _check(source: Source, pair: Pair) -> None:
    place = f"pairs.{pair.name}"
    if pair.type not in resource_types():
        raise Invalid(f"FHIR has no type {pair.type[:64]!r}.", place=f"{place}.type")
    for field in pair.fields:
        where = f"{place}.{field.column}"
        for path in (field.path, *field.with_, *filter(None, (field.other, field.where))):
            if "".join(m[0] for m in PATH.finditer(path)) != path or not path:
                raise Invalid(f"{path[:80]!r} is no path such as name[0].family.", place=where)
        if field.as_ == "link" and source.of_table(field.table) is None:
            raise Invalid(f"No pair moves the table {field.table[:64]!r}.", place=where)
        if field.as_ == "moment" and field.zone not in available_timezones():
            raise Invalid(f"There is no zone {field.zone[:64]!r}.", place=where)
        if not set(field.also.values()) <= set(field.codes):
            raise Invalid("`also` leads to a code that `codes` does not have.", place=where)
