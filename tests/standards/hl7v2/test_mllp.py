"""Frames are found in a stream however it is cut, and noise is told and bounded."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyclinic.standards.hl7v2.mllp import Frame, Noise, Unframer, frame

BODY = st.binary(max_size=30).map(lambda raw: raw.translate(None, b"\x0b\x1c")).filter(bool)


def fed(data, *, size=None, **limits):
    unframer = Unframer(**limits)
    size = size or max(1, len(data))
    found = []
    for at in range(0, len(data), size):
        found += unframer.feed(data[at : at + size])
    return found, unframer


@given(st.lists(BODY, max_size=5), st.integers(1, 7))
def test_frames_are_found_however_the_stream_is_cut(bodies, size):
    found, unframer = fed(b"".join(map(frame, bodies)), size=size)
    assert found == [Frame(body) for body in bodies]
    assert not unframer.inside
    assert not unframer.ended
    assert unframer.held == 0


@given(st.binary(max_size=200), st.integers(1, 9))
def test_any_bytes_give_frames_and_noise_and_the_same_frames_however_cut(data, size):
    whole, other = fed(data)[0], fed(data, size=size)[0]
    assert [each for each in whole if isinstance(each, Frame)] == [
        each for each in other if isinstance(each, Frame)
    ]


def test_white_space_between_frames_is_nothing_and_other_bytes_are_told():
    found, _ = fed(b"\r\n" + frame(b"a") + b"\n\n " + frame(b"b") + b"junk" + frame(b"c"))
    assert found == [
        Frame(b"a"), Frame(b"b"), Noise("Bytes stand outside of frames."), Frame(b"c"),
    ]  # fmt: skip


def test_a_missing_cr_is_decided_by_the_next_byte_or_by_flush():
    found, unframer = fed(b"\x0ba\x1c")
    assert found == []
    assert unframer.ended
    assert unframer.flush() == [Frame(b"a", closed=False)]
    assert unframer.flush() == []
    assert fed(b"\x0ba\x1c\x0bb\x1c\r")[0] == [Frame(b"a", closed=False), Frame(b"b")]
    assert fed(b"\x0ba\x1c\n\x0bb\x1c\r")[0] == [Frame(b"a", closed=False), Frame(b"b")]


def test_a_vt_inside_a_frame_begins_it_anew_and_is_told():
    found, _ = fed(b"\x0blost\x0bfound\x1c\r")
    assert found == [
        Noise("A frame begins inside another, which was given up."), Frame(b"found"),
    ]  # fmt: skip


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_frame_that_is_too_long_is_refused_as_soon_as_it_is(size):
    found, unframer = fed(b"\x0bMSH|" + b"x" * 500, size=size, frame_max=100)
    (noise,) = found
    assert noise.fatal
    assert noise.head.startswith(b"MSH|")
    assert unframer.feed(b"more" * 100) == []
    assert unframer.held == 0
    assert fed(b"\x0b" + b"x" * 100 + b"\x1c\r", frame_max=100)[0] == [Frame(b"x" * 100)]


def test_too_much_noise_ends_it_and_a_good_frame_forgives():
    found, unframer = fed(b"x" * 101, size=10, noise_max=100)
    assert found[-1].fatal
    assert unframer.feed(frame(b"a")) == []
    assert not any(
        isinstance(each, Noise) and each.fatal
        for each in fed((b"x" * 60 + frame(b"a")) * 5, noise_max=100)[0]
    )


def test_an_empty_frame_is_noise():
    assert fed(b"\x0b\x1c\r")[0] == [Noise("The frame is empty.")]


def test_what_would_break_the_frame_is_not_framed():
    for payload in (b"a\x0bb", b"a\x1cb"):
        with pytest.raises(ValueError, match="bytes of the frame"):
            frame(payload)
