"""Checkpoints are C2SP signed notes: what was signed is what is read, and nothing else."""

import base64
from datetime import UTC, datetime

import pytest

from polyclinic.standards.transparency.note import (
    BadNote,
    Checkpoint,
    Signer,
    Verifier,
    notes_of,
    open_note,
)

SIGNER = Signer.of("clinic.test/audit", bytes(range(32)))
AT = datetime(2026, 11, 28, 20, 0, 0, tzinfo=UTC)
CHECKPOINT = Checkpoint("clinic.test/audit", 7, b"\x07" * 32, AT)
# https://c2sp.org/signed-note, the example of a verifier key and a note that it signed.
KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"  # noqa: E501 - one line of the standard
)


def test_the_note_of_the_standard_is_read():
    assert str(Verifier.read(KEY)) == KEY
    assert open_note(NOTE, [Verifier.read(KEY)]).endswith("your problem is.\n")


def test_a_checkpoint_comes_back_as_it_was_signed():
    note = SIGNER.sign(CHECKPOINT.text())
    verifier = Verifier.read(str(SIGNER.verifier))
    assert Checkpoint.read(open_note(note, [verifier])) == CHECKPOINT
    assert note.split("\n")[:3] == [
        "clinic.test/audit",
        "7",
        base64.b64encode(b"\x07" * 32).decode(),
    ]


def test_a_changed_note_or_another_key_is_refused():
    note = SIGNER.sign(CHECKPOINT.text())
    with pytest.raises(BadNote, match="not of this text"):
        open_note(note.replace("\n7\n", "\n8\n"), [SIGNER.verifier])
    other = Signer.of("clinic.test/audit", bytes(32))
    with pytest.raises(BadNote, match="No key that is known"):
        open_note(note, [other.verifier])
    forged = other.sign(CHECKPOINT.text())
    with pytest.raises(BadNote, match="No key that is known"):
        open_note(forged, [SIGNER.verifier])


@pytest.mark.parametrize(
    "text",
    [
        "o\n7\nAAAA\ntime 2026-11-28T20:00:00+00:00\n",
        "o\n-\n" + base64.b64encode(bytes(32)).decode() + "\ntime 2026-11-28T20:00:00+00:00\n",
        "o\n07\n" + base64.b64encode(bytes(32)).decode() + "\ntime 2026-11-28T20:00:00+00:00\n",
        "o\n7\n" + base64.b64encode(bytes(32)).decode() + "\n",
        "",
    ],
)
def test_what_is_no_checkpoint_is_refused(text):
    with pytest.raises(BadNote, match="origin, a size, a root and a time"):
        Checkpoint.read(text)


@pytest.mark.parametrize("key", ["", "a+b", "a+00000000+AQ==", KEY.replace("c74f", "c74e")])
def test_what_is_no_key_is_refused(key):
    with pytest.raises(BadNote, match="verifier key"):
        Verifier.read(key)


@pytest.mark.parametrize(
    "note", ["", "text\n", "text\n\n- x y\n", "text\n\n— x !!\n", "t\n\n— x AA==\n"]
)
def test_what_is_no_note_is_refused(note):
    with pytest.raises(BadNote):
        open_note(note, [SIGNER.verifier])


def test_a_file_of_notes_is_read_as_far_as_it_was_written():
    notes = [SIGNER.sign(CHECKPOINT.text()), SIGNER.sign("another\n")]
    content = "".join(note + "\n" for note in notes)
    assert notes_of(content) == notes
    for end in range(len(content)):
        assert notes_of(content[:end]) == notes[: 1 if end > len(notes[0]) else 0]
