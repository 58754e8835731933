from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyclinic.standards.fhir.codec import BadJson, decode, encode

SETTINGS = settings(derandomize=True, deadline=None, max_examples=150, database=None)
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
NUMBERS = st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**9))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)


@SETTINGS
@given(st.dictionaries(TEXTS, VALUES, max_size=5))
def test_what_is_encoded_decodes_to_the_same(resource):
    assert decode(encode(resource)) == resource


@pytest.mark.parametrize("written", ["1.00", "0.10", "120", "1e5", "-0.000", "3.14159265358979323"])
def test_a_number_keeps_the_digits_it_was_written_with(written):
    body = b'{"value":' + written.encode() + b"}"
    assert encode(decode(body)).lower().replace(b"+", b"") == body


def test_a_decimal_is_exact():
    assert decode(b'{"value":0.1}')["value"] == Decimal("0.1")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[1]",
        b'"text"',
        b'{"a":1} x',
        b'{"a":NaN}',
        b'{"a":Infinity}',
        b'{"a":1e999}',
        b'{"a":1e-999}',
        b'{"a":' + b"9" * 5000 + b"}",
        b'{"a":0.' + b"1" * 5000 + b"}",
        b'{"a":"\\ud800"}',
        b'{"a":"\\udc00x"}',
        b'{"a":"\xed\xa0\x80"}',
        b'{"a":"\xff"}',
        b'{"a":"\\u0000"}',
        b'{"a\\u0000":1}',
        b'{"a":"\x01"}',
        b"\xef\xbb\xbf{}",
        b'{"a":1,"a":2}',
        b'{"b":[{"a":":","a":"\\u003a:"}]}',
        b'{"a":1,"\\u0061":2}',
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
    ids=lambda body: repr(body[:30]),
)
def test_json_that_fhir_forbids_is_refused(body):
    with pytest.raises(BadJson):
        decode(body)


@pytest.mark.parametrize("body", [b'{"a":"\\\\u0000"}', b'{"a":":","b":"\\u003a"}', b'{"a" : {}}'])
def test_what_only_looks_forbidden_is_read(body):
    assert decode(body)


def test_the_place_of_a_syntax_error_is_named():
    with pytest.raises(BadJson) as refused:
        decode(b'{"a": ?}')
    assert refused.value.place == "byte 6"


@SETTINGS
@given(st.binary(max_size=40))
def test_any_bytes_are_read_or_refused(body):
    try:
        decoded = decode(body)
    except BadJson:
        return
    assert decode(encode(decoded)) == decoded
