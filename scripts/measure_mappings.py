"""Measures our mapping tables against the official ones of HL7, message by message.

    python scripts/measure_mappings.py [folder of the official CSVs] [--missing]

A row of an official segment map counts when one of our tables reads the same field into the same
element of the same resource. The table goes into docs/reference/hl7v2-mappings.md.
"""

import csv
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from polyclinic.services.integration.domain.mapping import appointing, reporting, tables

ROOT = Path(__file__).parents[1]
OFFICIAL = ROOT.parent / "shared" / "data" / "hl7v2" / "v2-to-fhir"
PAGE = ROOT / "docs" / "reference" / "hl7v2-mappings.md"
BEGIN, END = "<!-- measured -->", "<!-- /measured -->"

# The official message maps that speak of triggers which we take, and one such trigger.
MESSAGES = {
    "ADT_A01": ("ADT", "A01"), "ADT_A02": ("ADT", "A02"), "ADT_A05": ("ADT", "A05"),
    "ADT_A06": ("ADT", "A06"), "ADT_A11": ("ADT", "A11"), "MDM_T02": ("MDM", "T02"),
    "OML_O21": ("OML", "O21"), "ORM_O01": ("ORM", "O01"), "ORU_R01": ("ORU", "R01"),
    "SIU_S12": ("SIU", "S12"), "VXU_V04": ("VXU", "V04"),
}  # fmt: skip
# What we leave out on purpose; the page says why.
LEFT_OUT = re.compile(
    r"(MSH|MSA|SFT|EVN|PRT)\[|\[(Provenance|Basic|Account|CareTeam|EpisodeOfCare)"
    r"|PID\[(Account|Provenance)|NK1\[Patient\]|Component\]|SCH\[(ServiceRequest|Prov)"
    r"|AIS\[ServiceRequest\]|PractitionerRole\]"
)
BESIDE = {  # what a trigger fills beside its recipes
    "report": (*reporting.REPORT.fill, *reporting.OBSERVATION.fill, *reporting.SPECIMEN.fill,
               "OBR[Specimen]", "ORC[ServiceRequest]", "OBR[ServiceRequest]",
               "NTE[ServiceRequest]", "TQ1[ServiceRequest]"),
    "document": ("OBX[DocumentReference]", "NTE[DocumentReference]", "ORC[ServiceRequest]",
                 "OBR[ServiceRequest]", "NTE[ServiceRequest]", "TQ1[ServiceRequest]"),
    "appointment": (*appointing.FILL, "NTE[Appointment-Comment]"),
}  # fmt: skip
# Kinds that read or write more than their rule's path says.
ALSO_READS = {
    "ObservationValue": {"6"},
    "NoteOf": {"5", "6"},
    "PractitionerOf": {"4", "6", "9", "12"},
    "PlaceOf": {"6", "9"},
    "ResourceOf": {"4", "8", "11"},
    "DiagnosisOf": {"4", "5", "6", "15", "16", "19", "20", "21", "22"},  # its Condition does
}
CHOICES = ("value", "effective", "onset", "performed", "occurrence", "deceased", "multipleBirth",
           "medication")  # fmt: skip
# Where R4 has an element, we use it in place of the extension out of R5.
INSTEAD = {("NTE[Appointment-Comment]", "extension"): "comment",
           ("PID[Appointment]", "extension"): "participant"}  # fmt: skip


@dataclass(frozen=True)
class Row:
    """A row of an official segment map: a field, and the element that it goes into."""

    table: str
    field: str
    element: str
    is_constant: bool = False  # the official row assigns a value of its own


@dataclass
class Count:
    """Rows of a message: in all, in maps that we mean to do, and done."""

    every: int = 0
    meant: int = 0
    done: int = 0

    def share(self, of: int) -> str:
        return f"{100 * self.done / of:.0f} %" if of else "–"


def element_of(path: str) -> str:
    """The first element of a FHIR path, with a choice of types as its stem."""
    first = re.split(r"[.\[(=\s]", path.strip().removeprefix("$this"))[0]
    return next((stem for stem in CHOICES if first.startswith(stem)), first)


def rows_of(folder: Path, table: str) -> list[Row]:
    """Distinct field-and-element pairs; rows without a FHIR attribute map nothing."""
    found: dict[Row, None] = {}
    for path in folder.glob("segments/*.csv"):
        if f"_ {table} -" not in path.name:
            continue
        with path.open(encoding="utf-8-sig", newline="") as file:
            for row in csv.reader(file):
                if len(row) > 10 and re.match(r"[A-Z][A-Z0-9]{2}-\d", row[1]) and row[9].strip():
                    element = element_of(row[9]) or "$this"
                    constant = len(row) > 16 and bool(row[16].strip())
                    field = row[1].split("-")[1].split(".")[0]
                    found[Row(table, field, element, constant)] = None
    return list(found)


def maps_of(folder: Path, message: str) -> list[str]:
    """The segment maps that an official message map names, each once."""
    (path,) = folder.glob(f"messages/*{message} *.csv")
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = [row for row in csv.reader(file) if len(row) > 10 and "[" in row[10]]
    return list(dict.fromkeys(row[10].strip() for row in rows))


def used_by(code: str, event: str) -> set[str]:
    """The tables of ours that a trigger fills from."""
    trigger = tables.triggers()[code, event]
    recipes = (tables.recipes()[name] for name in trigger.documents)
    found = {name for recipe in recipes for name in recipe.fill}
    return found | set(trigger.person) | set(BESIDE.get(trigger.does, ()))


def ours(table: str) -> set[tuple[str, str]]:
    """The field-and-element pairs that our table does; an element `*` stands for any."""
    known = tables.tables().get(table)
    found: set[tuple[str, str]] = set()
    for rule in known.rules if known else ():
        element = element_of(rule.target[0].element.removeprefix("_")) if rule.target else "*"
        fields = {re.split(r"[.\[]", source)[0] for source in rule.sources}
        fields |= ALSO_READS.get(rule.kind, set())
        if rule.when is not None and not rule.sources:
            fields |= {re.split(r"[.\[]", path)[0] for path in rule.when.paths}
        found |= {(field.rsplit("-", 1)[-1], element) for field in fields}
        if not rule.sources and rule.when is None:
            found.add(("=", element))  # whatever the field says
    return found


def is_done(row: Row, pairs: set[tuple[str, str]]) -> bool:
    if row.element == "$this":
        return any(field == row.field for field, _ in pairs)
    element = INSTEAD.get((row.table, row.element), row.element)
    if row.is_constant and ("=", element) in pairs:
        return True
    return (row.field, element) in pairs or (row.field, "*") in pairs


def measured(folder: Path = OFFICIAL) -> Iterator[tuple[str, Count, list[Row]]]:
    """Each message map with its counts and what is missing of what we mean to do."""
    for message, (code, event) in MESSAGES.items():
        used, count = used_by(code, event), Count()
        missing: list[Row] = []
        for table in maps_of(folder, message):
            rows = rows_of(folder, table)
            count.every += len(rows)
            if LEFT_OUT.search(table):
                continue
            count.meant += len(rows)
            pairs = ours(table) if table in used else set[tuple[str, str]]()
            done = [row for row in rows if is_done(row, pairs)]
            count.done += len(done)
            missing += [row for row in rows if row not in done]
        yield message, count, missing


def table_of(folder: Path = OFFICIAL) -> str:
    lines = [
        "| message map | rows | of maps that we mean to do | done | of those | of all |",
        "|---|---|---|---|---|---|",
    ]
    total = Count()
    for message, count, _ in measured(folder):
        total.every += count.every
        total.meant += count.meant
        total.done += count.done
        lines.append(_line(message, count))
    return "\n".join([*lines, _line("**all**", total)])


def _line(name: str, count: Count) -> str:
    shares = f"{count.share(count.meant)} | {count.share(count.every)}"
    return f"| {name} | {count.every} | {count.meant} | {count.done} | {shares} |"


def main() -> None:
    folders = [Path(each) for each in sys.argv[1:] if not each.startswith("--")]
    folder = folders[0] if folders else OFFICIAL
    if "--missing" in sys.argv:
        for message, _, missing in measured(folder):
            print(message, *(f"{row.table}-{row.field}->{row.element}" for row in missing))
        return
    table = table_of(folder)
    print(table)
    if PAGE.exists():
        text = PAGE.read_text(encoding="utf-8")
        before, _, rest = text.partition(BEGIN)
        after = rest.partition(END)[2]
        PAGE.write_text(f"{before}{BEGIN}\n\n{table}\n\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
