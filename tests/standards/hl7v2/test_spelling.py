r"""Delimiters, escapes and character sets: every sender's, read strictly, written safely."""

import pytest
from hl7v2_samples import head

from polyclinic.standards.hl7v2 import Malformed, parse


def read(field, *, marks=b"|^~\\&", charset=""):
    return parse(head(marks=marks, charset=charset) + b"OBX" + marks[:1] + field + b"\r")


# ATK-086: custom, doubled and control delimiters
@pytest.mark.parametrize(
    ("marks", "field", "texts"),
    [
        (b"|^~\\&", b"a^b&c~d", ("a", "b", "c", "d")),
        (b"$%*!@", b"a%b@c*d", ("a", "b", "c", "d")),
        (b"*:~\\&", b"a:b&c~d", ("a", "b", "c", "d")),
        (b"|^~\\\\&", b"a^b&c~d", ("a", "b", "c", "d")),
        (b"|^~\\&#", b"a^b&c~d", ("a", "b", "c", "d")),
        (b"|^~\\", b"a^b&c~d", ("a", "b&c", None, "d")),
        (b"|^~", b"a\\F\\^b&c~d", ("a\\F\\", "b&c", None, "d")),
        (b"|^", b"a^b&c~d", ("a", "b&c~d", None, None)),
        (b"|^^^^", b"a^b&c~d", ("a", "b&c~d", None, None)),
    ],
)
def test_delimiters_are_what_the_header_says(marks, field, texts):
    message = read(field, marks=marks)
    paths = ("OBX-1.1", "OBX-1.2", "OBX-1.2.2", "OBX-1[2].1")
    assert tuple(message.get(path) for path in paths) == texts
    assert message.get("MSH-2") == marks[1:].decode()


@pytest.mark.parametrize(
    ("start", "place"),
    [
        (b"MSH", "MSH-1"),
        (b"MSHA^~\\&A", "MSH-1"),
        (b"MSH ^~\\& ", "MSH-1"),
        (b"MSH\r^~\\&\r", "MSH-1"),
        (b"MSH\x1c^~\\&\x1c", "MSH-1"),
        (b"MSH\x00^~\\&\x00", "MSH-1"),
        (b"MSH\xff^~\\&\xff", "MSH-1"),
        (b'MSH"^~\\&"', "MSH-1"),
        (b"MSH|", "MSH-2"),
        (b"MSH||REG", "MSH-2"),
        (b"MSH|^~A&|", "MSH-2"),
        (b"MSH|^~\x0b&|", "MSH-2"),
        (b"MSH|^~\\&#%|", "MSH-2"),
        (b"MSH|^\xa7\\&|", "MSH-2"),
        (b"MSH|" + b"^" * 99 + b"|", "MSH-2"),
    ],
)
def test_what_cannot_be_a_delimiter_is_refused_at_its_place(start, place):
    with pytest.raises(Malformed) as refusal:
        parse(start + b"\rPID|1\r")
    assert refusal.value.place == place


# What stands in the field, what it says, whether it leaves a remark.
ESCAPES = [
    (rb"a\F\b\S\c\T\d\R\e\E\f", "a|b^c&d~e\\f", False),
    (rb"a\P\b", "a#b", False),
    (rb"\X41\\X4a4B\c", "AJKc", False),
    (rb"\X0D\PID\F\1", "\rPID|1", False),
    (rb"\XC3\\XBC\ber", "über", False),
    (rb"a\.br\b", "a\nb", False),
    (rb"a\.BR\b", "a\nb", False),
    (rb"a\.sp\b\.sp 2\c\.sp+2\d", "a\nb\n\nc\n\nd", False),
    (rb"a\.sk3\b\.in+4\c\.ti-2\\.fi\\.nf\d\.ce\e", "a   bcd\ne", False),
    (rb"\H\loud\N\ low", "loud low", False),
    (rb"a\Zown\b", "a\\Zown\\b", True),
    (rb"a\f\b", "a\\f\\b", True),
    (rb"a\X4\b", "a\\X4\\b", True),
    (rb"a\XZZ\b", "a\\XZZ\\b", True),
    (rb"a\X\b", "a\\X\\b", True),
    (rb"a\\b", "a\\\\b", True),
    (rb"C:\dir", "C:\\dir", True),
    (rb"a\F\b\F", "a|b\\F", True),
    (rb"\.br", "\\.br", True),
    (rb"a\.sp 99999999999\b", "a\\.sp 99999999999\\b", True),
]


@pytest.mark.parametrize(("field", "text", "remark"), ESCAPES)
def test_escapes_are_read_and_what_is_none_stays_with_a_remark(field, text, remark):
    message = read(field)
    assert message.get("OBX-1") == text
    assert [(f.place, f.severity) for f in message.faults()] == [("OBX-1", "W")] * remark
    message.set("OBX-2", text)
    assert message.get("OBX-2") == text
    assert parse(message.write()).get("OBX-2") == text


def test_a_number_in_an_escape_cannot_fill_the_memory():
    text = read(rb"\.sp 999999999\\.sk 999999999\ ".replace(b" ", b"") * 9).get("OBX-1")
    assert len(text) <= 9 * 2 * 99


def test_escapes_follow_the_marks_of_the_message():
    message = read(b"a!F!b!E!c!R!d", marks=b"$%*!@")
    assert message.get("OBX-1") == "a$b!c*d"
    message.set("OBX-2", "$%*!@|^")
    assert message.segments("OBX")[0].field(2) == "!F!!S!!R!!E!!T!|^"


def test_a_message_without_an_escape_character_refuses_what_would_need_one():
    message = read(b"x", marks=b"|^~")
    message.set("OBX-2", "plain \\ &")
    assert message.get("OBX-2") == "plain \\ &"
    for text in ("a|b", "a^b", "a\rb", "a\nb", '""'):
        with pytest.raises(Malformed, match="no escape character"):
            message.set("OBX-2", text)


# ATK-086: nothing that is written begins a segment, for any reader's idea of a line end.
@pytest.mark.parametrize("end", ["\r", "\n", "\r\n", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e",
                                 "\x85", "\u2028", "\u2029"])  # fmt: skip
def test_no_line_end_is_written_into_a_field(end):
    message = read(b"x")
    message.set("OBX-5", f"a{end}PID|9||666")
    assert len(message.write().decode().splitlines()) == 2
    assert parse(message.write()).get("OBX-5") == f"a{end}PID|9||666"


SETS = [
    ("ASCII", "plain", b"plain"),
    ("UNICODE UTF-8", "Größe 漢字", "Größe 漢字".encode()),
    ("UNICODE", "Größe", "Größe".encode()),
    ("utf-8", "Größe", "Größe".encode()),
    ("8859/1", "Größe", "Größe".encode("latin-1")),
    ("8859/2", "Łódź", "Łódź".encode("iso8859-2")),
    ("8859/5", "Иван", "Иван".encode("iso8859-5")),
    ("8859/7", "Ωμέγα", "Ωμέγα".encode("iso8859-7")),
    ("8859/15", "5 €", "5 €".encode("iso8859-15")),
    ("ISO-8859-15", "5 €", "5 €".encode("iso8859-15")),
    ("BIG-5", "功許|蓋", "功許\\F\\蓋".encode("big5")),
    ("GB 18030-2000", "丂€𠀀^", "丂€𠀀\\S\\".encode("gb18030")),
    ("KS X 1001", "홍길동", "홍길동".encode("euc_kr")),
    ("ISO IR87", "山田^太郎", "山田".encode("iso2022_jp") + b"\\S\\" + "太郎".encode("iso2022_jp")),
    ("ISO IR159", "丂山", "丂山".encode("iso2022_jp_ext")),
    ("ASCII~ISO IR87", "東京 A", "東京 A".encode("iso2022_jp")),
    ("~ISO IR87", "東京", "東京".encode("iso2022_jp")),
    ("ISO IR14", "ﾔﾏﾀﾞ", b"\x1b(I\x54\x4f\x40\x5e\x1b(B"),
]


@pytest.mark.parametrize(("charset", "text", "raw"), SETS)
def test_each_character_set_is_read_and_written(charset, text, raw):
    message = read(b"before|" + raw + b"|behind", charset=charset)
    assert (message.get("OBX-1"), message.get("OBX-3")) == ("before", "behind")
    assert message.get("OBX-2") == text
    assert message.faults() == ()
    message.set("OBX-4", text)
    again = parse(message.write())
    assert again.get("OBX-4") == text
    assert again.get("OBX-2") == text
    assert again.write().startswith(read(b"before|" + raw, charset=charset).write()[:-1])


def test_the_second_byte_of_a_wide_character_is_no_delimiter():
    """許 is B3 5C in BIG-5, a backslash; 丂 is 81 40; 7C and 5E are second bytes too."""
    for charset, codec in (("BIG-5", "big5"), ("GB 18030-2000", "gb18030")):
        wide = [
            text
            for lead in range(0x81, 0xFF)
            for trail in (0x5C, 0x5E, 0x7C, 0x7E)
            if (text := bytes((lead, trail)).decode(codec, "ignore")) > "\x7f"
        ]
        assert len(wide) > 100
        for text in wide:
            message = read(text.encode(codec) + b"|x", charset=charset)
            assert (message.get("OBX-1"), message.get("OBX-2")) == (text, "x")


def test_japanese_designations_may_be_spelled_as_escapes():
    message = read(rb"\M2442\;3ED\C2842\ A", charset="~ISO IR87")
    assert message.get("OBX-1") == "山田 A"
    (fault,) = read(rb"\M2442\zz\C2842\ ", charset="ASCII").faults() or (None,)
    assert fault is None or fault.severity in "EW"


def test_without_a_named_set_the_channels_holds_and_else_utf_8():
    raw = head() + b"OBX|Gr\xf6\xdfe\r"
    assert parse(raw, "8859/1").get("OBX-1") == "Größe"
    assert parse(head(charset="UNICODE UTF-8") + b"OBX|\xc3\xb6\r", "8859/1").get("OBX-1") == "ö"
    with pytest.raises(Malformed):
        parse(raw).get("OBX-1")


# ATK-087: a header that lies about its bytes. Nothing is guessed, nothing is replaced.
@pytest.mark.parametrize(
    ("charset", "raw"),
    [
        ("UNICODE UTF-8", "Größe".encode("latin-1")),
        ("UNICODE UTF-8", "Größe".encode("utf-16")),
        ("UNICODE UTF-8", b"\xc0\xaf\xed\xa0\x80"),
        ("ASCII", "Größe".encode()),
        ("BIG-5", b"\xff\xff"),
        ("GB 18030-2000", b"\xff\xff"),
        ("KS X 1001", b"\xff"),
        ("8859/3", b"\xa5"),
        ("ISO IR87", b"\x1b$B\x21\x1b(B"),
        ("ISO IR87", b"\x1b%G\xc3\xbc"),
        ("EBCDIC", b"\xc1\xc2"),
        ("8859/12", b"\xc1\xc2"),
        ("UNICODE UTF-16", b"\xc1\xc2"),
        ("ASCII", rb"\XC3BC\ "),
    ],
)
def test_bytes_that_are_none_of_the_set_are_a_fault_at_their_place(charset, raw):
    message = read(b"fine|" + raw + b"|fine", charset=charset)
    with pytest.raises(Malformed) as refusal:
        message.get("OBX-2")
    assert refusal.value.place == "OBX-2"
    assert (message.get("OBX-1"), message.get("OBX-3")) == ("fine", "fine")
    bad = [fault.place for fault in message.faults() if fault.severity == "E"]
    assert "OBX-2" in bad
    assert set(bad) <= {"OBX-2", "MSH-18"}
    assert raw in message.write()


def test_a_wide_text_that_does_not_end_takes_its_segment_with_it_and_says_so():
    message = read(b"fine|\x1b$B;3ED|lost|too", charset="ISO IR87")
    with pytest.raises(Malformed):
        message.get("OBX-2")
    assert [fault.place for fault in message.faults()] == ["OBX-2"]


def test_the_place_of_a_fault_names_segment_and_repetition():
    raw = head(charset="ASCII") + b"OBX|a\rOBX||\xff~a~\xff\r"
    assert [fault.place for fault in parse(raw).faults()] == ["OBX[2]-2[1]", "OBX[2]-2[3]"]


def test_utf_8_under_a_latin_header_is_read_as_it_says_with_a_remark():
    message = read("Größe".encode(), charset="8859/1")
    assert message.get("OBX-1") == "GrÃ¶Ã\x9fe"
    (fault,) = message.faults()
    assert (fault.place, fault.severity) == ("OBX-1", "W")


@pytest.mark.parametrize("codec", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf_16_is_refused_by_name(codec):
    with pytest.raises(Malformed, match="UTF-16"):
        parse(head().decode().encode(codec))


def test_a_text_that_the_set_cannot_say_is_refused():
    message = read(b"x", charset="8859/1")
    with pytest.raises(Malformed, match="no way to say") as refusal:
        message.set("OBX-5.1", "漢")
    assert refusal.value.place == "OBX-5"
    assert message.write() == read(b"x", charset="8859/1").write()
