"""Messages are signed as Standard Webhooks says, so that receivers check them with any library."""

import base64
import datetime
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from polyclinic.services.integration.domain import signing
from polyclinic.services.integration.domain.signing import BadSecret, BadSignature

NAME, AT, BODY = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def test_the_vector_that_all_libraries_share():
    assert signing.sign(SECRET, NAME, AT, BODY) == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_ed25519_keys_and_signatures_are_those_of_rfc_8032():
    seed = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    public = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
    secret = signing.new_secret("v1a", seed)
    assert secret == "whsk_" + base64.b64encode(seed + public).decode()
    assert signing.shown(secret) == "whpk_" + base64.b64encode(public).decode()
    alone = "whsk_" + base64.b64encode(seed).decode()
    assert signing.sign(alone, NAME, AT, BODY) == signing.sign(secret, NAME, AT, BODY)
    given = signing.headers([secret], NAME, AT, BODY)
    signing.verify([signing.shown(secret)], given, BODY, AT)


@given(st.binary(min_size=24, max_size=64), st.text(max_size=200))
def test_we_and_the_library_of_others_sign_alike(key, text):
    secret = "whsec_" + base64.b64encode(key).decode()
    theirs = Webhook(secret).sign("evt", datetime.datetime.fromtimestamp(AT, datetime.UTC), text)
    assert signing.sign(secret, "evt", AT, text.encode()) == theirs


def test_they_take_ours_and_we_take_theirs():
    now = datetime.datetime.now(datetime.UTC)
    ours = signing.headers([SECRET], "evt", int(now.timestamp()), BODY)
    assert Webhook(SECRET).verify(BODY, ours) == {"test": 2432232314}
    theirs = {**ours, "webhook-signature": Webhook(SECRET).sign("evt", now, BODY.decode())}
    signing.verify([SECRET], theirs, BODY, now.timestamp())
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(BODY + b" ", ours)


def test_while_a_secret_is_rotated_the_old_and_the_new_one_both_fit():
    old, new = (signing.new_secret("v1", os.urandom(32)) for _ in range(2))
    asymmetric = signing.new_secret("v1a", os.urandom(32))
    given = signing.headers([new, old, asymmetric], "evt", AT, BODY)
    assert given["webhook-signature"].count(" ") == 2
    for key in (old, new, signing.shown(asymmetric)):
        signing.verify([key], given, BODY, AT)
    stranger = signing.new_secret("v1", os.urandom(32))
    with pytest.raises(BadSignature):
        signing.verify(
            [stranger, signing.shown(signing.new_secret("v1a", os.urandom(32)))], given, BODY, AT
        )


@pytest.mark.parametrize("late", [-300, 0, 300])
def test_five_minutes_either_way_are_near_enough(late):
    signing.verify([SECRET], signing.headers([SECRET], "e", AT, BODY), BODY, AT + late)


@pytest.mark.parametrize(
    "change",
    [
        {"webhook-timestamp": str(AT + 1)}, {"webhook-timestamp": str(AT - 301)},
        {"webhook-timestamp": str(AT + 301)}, {"webhook-timestamp": "soon"},
        {"webhook-timestamp": ""}, {"webhook-signature": "v1"},
        {"webhook-id": "other"}, {"webhook-id": ""}, {"webhook-signature": ""},
        {"webhook-signature": "v1,AAAA"}, {"webhook-signature": "v1,*"},
    ],
)  # fmt: skip
def test_what_was_changed_or_is_old_is_refused(change):
    with pytest.raises(BadSignature):
        signing.verify([SECRET], {**signing.headers([SECRET], "e", AT, BODY), **change}, BODY, AT)


def test_a_signature_of_one_scheme_counts_for_no_other():
    given = signing.headers([SECRET], "e", AT, BODY)
    given["webhook-signature"] = given["webhook-signature"].replace("v1,", "v1a,")
    with pytest.raises(BadSignature):
        signing.verify([SECRET], given, BODY, AT)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_AAAA", "whsec_*", "whsk_AAAA", "plain"])
def test_a_weak_or_strange_secret_signs_nothing(secret):
    with pytest.raises(BadSecret):
        signing.sign(secret, "e", AT, BODY)


def test_an_id_with_a_point_could_be_read_as_a_time():
    with pytest.raises(BadSignature):
        signing.sign(SECRET, "a.1", AT, BODY)
