"""A segment, its repetitions and what their leaves say; an edit touches the named field only."""

from dataclasses import dataclass
from typing import Final

from polyclinic.standards.hl7v2.charsets import Charset
from polyclinic.standards.hl7v2.delimiters import HEADS, Delimiters
from polyclinic.standards.hl7v2.escapes import Unknown, escaped, unescaped
from polyclinic.standards.hl7v2.faults import Malformed
from polyclinic.standards.hl7v2.paths import Spot, spot, within_repetition


class Null(str):
    """The type of NULL."""

    __slots__ = ()


NULL: Final = Null('""')  # "delete the value"; known by `is`, for a text may say the same


@dataclass(frozen=True, slots=True)
class Spelling:
    """How the texts of a message are spelled in its bytes."""

    marks: Delimiters
    charset: Charset

    def is_plain(self, characters: str) -> bool:
        """Whether every leaf in them says just what it is."""
        return (
            characters.isascii() and self.marks.escape not in characters and '"' not in characters
        )

    def read(self, leaf: str, where: "Repetition") -> str | None:
        """None where nothing stands. Malformed where the bytes are none of the character set."""
        if not leaf:
            return None
        if leaf == '""':
            return NULL
        if leaf.isascii() and self.marks.escape not in leaf:
            return leaf
        try:
            return unescaped(leaf, self.marks, self.charset)
        except UnicodeDecodeError:
            text = f"The bytes are not of the character set {self.charset.name}."
            raise Malformed(where.place, text) from None

    def spell(self, text: str | None, place: str) -> str:
        """Malformed where the text cannot be said in this message."""
        if text is NULL or not text:
            return text or ""
        try:
            return escaped(text, self.marks, self.charset)
        except UnicodeEncodeError:
            why = f"The character set {self.charset.name} has no way to say this text."
            raise Malformed(place, why) from None
        except Unknown:
            why = "The text needs an escape and the message has no escape character."
            raise Malformed(place, why) from None


class Repetition:
    """One repetition of a field."""

    __slots__ = ("_components", "_field", "_number", "_of", "_spelling", "characters")

    def __init__(self, characters: str, of: "Segment", field: int, number: int = 0) -> None:
        self.characters = characters
        self._of, self._field, self._number = of, field, number
        self._spelling = of.spelling
        self._components: list[list[str]] | None = None

    @property
    def place(self) -> str:
        """`PID-3`, or `PID-3[2]` where the field is repeated."""
        place = self._of.place(self._field)
        return f"{place}[{self._number}]" if self._number else place

    def get(self, path: str) -> str | None:
        """`4.2`, or `4` for its first subcomponent."""
        return self.leaf(*within_repetition(path))

    def leaf(self, component: int, subcomponent: int) -> str | None:
        """0 is the first: a component that was made longer keeps its old meaning in front."""
        if self._components is None:
            self._components = self._split()
        if component > len(self._components):
            return None
        leaves = self._components[component - 1 if component else 0]
        if subcomponent > len(leaves):
            return None
        leaf = leaves[subcomponent - 1 if subcomponent else 0]
        return self._spelling.read(leaf, self)

    def components(self) -> tuple[tuple[str | None, ...], ...]:
        """All that it says: subcomponents in components."""
        spelling, characters = self._spelling, self.characters
        if spelling.is_plain(characters) and spelling.marks.subcomponent not in characters:
            # Most fields of most messages: nothing in them means anything but itself.
            return tuple([(leaf or None,) for leaf in characters.split(spelling.marks.component)])
        if self._components is None:
            self._components = self._split()
        read = spelling.read
        return tuple([tuple([read(leaf, self) for leaf in leaves]) for leaves in self._components])

    def _split(self) -> list[list[str]]:
        marks = self._spelling.marks
        inner = marks.subcomponent
        if inner not in self.characters:
            return [[leaf] for leaf in self.characters.split(marks.component)]
        return [each.split(inner) for each in self.characters.split(marks.component)]


class Segment:
    """A line of a message: `name`, its number in the message (`index`), and its fields.

    `name` is empty where the line is no segment. `number` counts those of the same name.
    """

    __slots__ = (
        "_fields", "_line", "_repetitions", "changed", "index", "name", "number", "spelling",
    )  # fmt: skip

    def __init__(self, name: str, line: str, index: int, number: int, spelling: Spelling) -> None:
        self.name, self.index, self.number = name, index, number
        self._line: str | None = line
        self.spelling = spelling
        self._fields: list[str] | None = None
        self._repetitions: dict[int, tuple[Repetition, ...]] = {}
        self.changed = False

    def __repr__(self) -> str:
        return f"<{self.name or 'no segment'} {self.index}>"  # without values

    @property
    def line(self) -> str:
        """Its characters as they stand in the message."""
        if self._line is None:
            fields = self._split()
            if self.name in HEADS:
                fields = [fields[0], *fields[2:]]
            self._line = self.spelling.marks.field.join(fields)
        return self._line

    def __len__(self) -> int:
        """The number of the last field."""
        return len(self._split()) - 1

    def field(self, number: int) -> str:
        """The characters of a field, neither decoded nor split; empty when it is not there."""
        fields = self._split()
        return fields[number] if number < len(fields) else ""

    def repetitions(self, number: int) -> tuple[Repetition, ...]:
        """None where the field is empty."""
        known = self._repetitions.get(number)
        if known is not None:
            return known
        if not (field := self.field(number)):
            return ()
        known = self._repetitions[number] = self._repeated(number, field)
        return known

    def get(self, path: str) -> str | None:
        """What stands at `3[2].4.2`; of a shorter path the first. None where it is empty."""
        at = spot(path)
        repetitions = self.repetitions(at.field)
        if at.repetition > len(repetitions) or not repetitions:
            return None
        return repetitions[at.repetition - 1 if at.repetition else 0].leaf(*at[2:])

    def all(self, path: str) -> list[str]:
        """What stands there in every repetition where something does."""
        at = spot(path)
        repetitions = self.repetitions(at.field)
        if at.repetition:
            repetitions = repetitions[at.repetition - 1 : at.repetition]
        found = (each.leaf(at.component, at.subcomponent) for each in repetitions)
        return [text for text in found if text is not None]

    def set(self, path: str, text: str | None) -> None:
        """Writes a text, escaped, at exactly that level: `3` replaces the field, `3.1` a component.

        None and the empty text leave it empty, NULL says that the value is to be deleted.
        """
        at = spot(path)
        if self.name in HEADS and at.field <= 2:
            raise ValueError("a message keeps the delimiters that it was made with")
        spelled = self.spelling.spell(text, self.place(at.field))
        fields = self._split()
        fields += [""] * (at.field + 1 - len(fields))
        fields[at.field] = self._replaced(fields[at.field], at, spelled)
        self._repetitions.pop(at.field, None)
        self._line, self.changed = None, True

    def _replaced(self, field: str, at: Spot, leaf: str) -> str:
        marks = self.spelling.marks
        steps = (
            (marks.repetition, at.repetition or (1 if at.component else 0)),
            (marks.component, at.component),
            (marks.subcomponent, at.subcomponent),
        )
        return _replaced(field, [step for step in steps if step[1]], leaf)

    def _split(self) -> list[str]:
        if self._fields is None:
            mark = self.spelling.marks.field
            self._fields = self.line.split(mark)
            if self.name in HEADS:
                self._fields.insert(1, mark)
        return self._fields

    def _repeated(self, number: int, field: str) -> tuple[Repetition, ...]:
        if self.name in HEADS and number <= 2:
            return (Literal(field, self, number),)
        mark = self.spelling.marks.repetition
        if mark not in field:
            return (Repetition(field, self, number),)
        each = enumerate(field.split(mark), 1)
        return tuple([Repetition(piece, self, number, count) for count, piece in each])

    def place(self, field: int) -> str:
        """`PID-3`, or `OBX[2]-5` where it is not the first of its name."""
        return f"{self.name}-{field}" if self.number < 2 else f"{self.name}[{self.number}]-{field}"


class Literal(Repetition):
    """MSH-1 and MSH-2: marks that are not read as marks."""

    __slots__ = ()

    def _split(self) -> list[list[str]]:
        return [[self.characters]]

    def leaf(self, component: int, subcomponent: int) -> str | None:
        return self.characters if component < 2 and subcomponent < 2 else None

    def components(self) -> tuple[tuple[str | None, ...], ...]:
        return ((self.characters,),)


def _replaced(text: str, steps: list[tuple[str, int]], leaf: str) -> str:
    if not steps:
        return leaf
    (mark, number), *deeper = steps
    pieces = text.split(mark)
    pieces += [""] * (number - len(pieces))
    pieces[number - 1] = _replaced(pieces[number - 1], deeper, leaf)
    return mark.join(pieces)
