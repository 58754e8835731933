"""The port of card gateways keeps its word over both adapters, against a gateway of our own."""

import asyncio
import hmac
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import ClassVar

import pytest
import stripe
from cards_at_work import (
    DEBIT,
    DEBIT_FAILS,
    DECLINED,
    FAILING_REFUND,
    GOOD,
    KEY,
    SECOND_STEP,
    SECRET,
    SLOW_REFUND,
    Cards,
    cards_at_work,
)

from polyclinic.foundation import clock, ids
from polyclinic.foundation.errors import Invalid, Unavailable
from polyclinic.services.billing.domain.cards import (
    Asked,
    AskedBack,
    BadSignature,
    CardsRefused,
    Intent,
)
from polyclinic.services.billing.domain.payments import check_return
from polyclinic.services.billing.gateways.cards import PaymentGateway, open_cards
from polyclinic.services.billing.settings import BillingSettings

# Stripe's own client says it this way to httpx; nothing of ours does.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")
SDK = "polyclinic.services.billing.gateways.cards.sdk"
BACK = "http://clinic.test/bills/paid"


@pytest.fixture(scope="module")
def cards() -> Iterator[Cards]:
    with cards_at_work() as at_work:
        yield at_work


@pytest.fixture(params=["http", "stripe"])
async def gateway(request, cards: Cards) -> AsyncIterator[PaymentGateway]:
    settings = BillingSettings(
        cards=request.param, cards_url=cards.url, cards_key=KEY, cards_webhook_secret=SECRET
    )
    async with open_cards(settings) as opened:
        assert opened is not None
        yield opened


def asked(amount: int = 4_200, payment: str = "") -> Asked:
    expires = clock.now().replace(microsecond=0) + timedelta(hours=2)
    return Asked(payment or ids.new_id(), amount, "USD", BACK, expires)


async def paid(gateway: PaymentGateway, cards: Cards, card: str = GOOD) -> Intent:
    made = await gateway.create(asked())
    cards.pay(made.action_url or "", card)
    return await gateway.read(made.id)


async def test_a_payment_is_asked_for_and_paid_on_the_gateways_page(gateway, cards):
    wanted = asked()
    made = await gateway.create(wanted)
    assert (made.state, made.payment, made.amount) == ("requires_action", wanted.payment, 4_200)
    assert made.currency == "USD"
    assert cards.pay(made.action_url or "") == 303
    found = await gateway.read(made.id)
    assert (found.state, found.action_url) == ("succeeded", None)
    assert found.charge
    assert (await gateway.read_charge(found.charge)).payment == wanted.payment


async def test_the_same_id_makes_one_payment_and_another_body_is_refused(gateway, cards):
    wanted = asked()
    first, again = await gateway.create(wanted), await gateway.create(wanted)
    assert first.id == again.id
    with pytest.raises(CardsRefused):
        await gateway.create(asked(9_900, wanted.payment))
    mine = [s for s in cards.all("checkout.session") if s["client_reference_id"] == wanted.payment]
    assert len(mine) == 1


async def test_the_second_step_is_asked_for_and_may_fail(gateway, cards):
    assert (await paid(gateway, cards, SECOND_STEP)).state == "succeeded"
    made = await gateway.create(asked())
    assert cards.pay(made.action_url or "", SECOND_STEP, agree=False) == 422
    assert (await gateway.read(made.id)).state == "requires_action"


async def test_a_declined_card_leaves_the_payment_open_for_another(gateway, cards):
    made = await gateway.create(asked())
    assert cards.pay(made.action_url or "", DECLINED) == 422
    assert (await gateway.read(made.id)).state == "requires_action"
    assert cards.pay(made.action_url or "", GOOD) == 303
    assert (await gateway.read(made.id)).state == "succeeded"


@pytest.mark.parametrize(("card", "end"), [(DEBIT, "succeeded"), (DEBIT_FAILS, "failed")])
async def test_a_debit_is_on_its_way_and_ends_later(gateway, cards, card, end):
    found = await paid(gateway, cards, card)
    assert found.state == "processing"
    cards.control("clock", seconds=60)
    found = await gateway.read(found.id)
    assert (found.state, found.failure is not None) == (end, end == "failed")


async def test_what_nobody_paid_is_cancelled_and_what_was_paid_stays(gateway, cards):
    made = await gateway.create(asked())
    assert (await gateway.cancel(made.id)).state == "canceled"
    assert (await gateway.cancel(made.id)).state == "canceled"
    done = await paid(gateway, cards)
    assert (await gateway.cancel(done.id)).state == "succeeded"


async def test_a_lost_answer_is_found_by_our_own_id(gateway, cards):
    wanted, now = asked(), clock.now()
    cards.control("trouble", next=["lost after"] * 2)
    with pytest.raises(Unavailable):
        await gateway.create(wanted)
    cards.control("trouble", next=[])
    found = await gateway.find(wanted.payment, now)
    assert found is not None
    assert found.payment == wanted.payment
    assert (await gateway.create(wanted)).id == found.id
    assert await gateway.find(ids.new_id(), now) is None


async def test_refunds_are_made_once_and_never_above_what_was_paid(gateway, cards):
    done = await paid(gateway, cards)
    back = AskedBack(ids.new_id(), done.charge, 1_000)
    first, again = await gateway.refund(back), await gateway.refund(back)
    assert (first.id, first.state, first.refund) == (again.id, "succeeded", back.refund)
    with pytest.raises(CardsRefused):
        await gateway.refund(AskedBack(ids.new_id(), done.charge, 3_201))
    assert await gateway.find_refund(back.refund, done.charge) == first
    assert await gateway.find_refund(ids.new_id(), done.charge) is None
    assert await gateway.read_refund(first.id) == first


@pytest.mark.parametrize(
    ("card", "states"),
    [(SLOW_REFUND, ["processing", "succeeded"]), (FAILING_REFUND, ["succeeded", "failed"])],
)
async def test_a_refund_may_take_its_time_or_come_back(gateway, cards, card, states):
    done = await paid(gateway, cards, card)
    first = await gateway.refund(AskedBack(ids.new_id(), done.charge, 4_200))
    cards.control("clock", seconds=60)
    assert [first.state, (await gateway.read_refund(first.id)).state] == states


async def test_disputes_are_read_as_they_stand(gateway, cards):
    done = await paid(gateway, cards)
    made = cards.control("disputes", payment_intent=done.charge, amount=4_200)
    found = await gateway.read_dispute(made["id"])
    assert (found.state, found.charge, found.amount) == ("open", done.charge, 4_200)
    for status, state in (("won", "won"), ("warning_needs_response", "inquiry")):
        cards.control("disputes", dispute=made["id"], status=status)
        assert (await gateway.read_dispute(made["id"])).state == state


async def test_what_was_paid_and_given_back_is_listed_for_the_nightly_comparison(gateway, cards):
    since = clock.now() - timedelta(minutes=1)
    done = [await paid(gateway, cards) for _ in range(2)]
    back = await gateway.refund(AskedBack(ids.new_id(), done[0].charge, 100))
    listed = {each.charge: each async for each in gateway.paid_since(since)}
    assert {each.charge for each in done} <= listed.keys()
    assert back in [each async for each in gateway.refunds_since(since)]


async def test_a_list_is_read_to_its_end(gateway, cards):
    charge = (await paid(gateway, cards)).charge
    made = {(await gateway.refund(AskedBack(ids.new_id(), charge, 1))).id for _ in range(105)}
    since = clock.now() - timedelta(minutes=10)
    listed = [each async for each in gateway.refunds_since(since) if each.charge == charge]
    assert {each.id for each in listed} == made
    assert len(listed) == 105


async def test_a_wrong_key_is_refused(cards):
    settings = BillingSettings(
        cards="http", cards_url=cards.url, cards_key="other", cards_webhook_secret=SECRET
    )
    async with open_cards(settings) as other:
        assert other is not None
        with pytest.raises(CardsRefused):
            await other.read("cs_1")


async def test_a_gateway_that_is_not_there_leaves_the_outcome_unknown():
    settings = BillingSettings(
        cards="http", cards_url="http://127.0.0.1:9", cards_key="k", cards_webhook_secret="s"
    )
    async with open_cards(settings) as other:
        assert other is not None
        with pytest.raises(Unavailable):
            await other.read("cs_1")


async def test_missing_settings_are_said_at_the_start_and_none_offers_no_cards():
    async with open_cards(BillingSettings()) as nobody:
        assert nobody is None
    for settings in (BillingSettings(cards="http"), BillingSettings(cards="paypal")):
        with pytest.raises(Invalid, match="POLYCLINIC_BILLING_CARDS"):
            async with open_cards(settings):
                pass


async def test_the_missing_package_of_stripe_is_said_at_the_start(monkeypatch):
    monkeypatch.setitem(sys.modules, "stripe", None)
    monkeypatch.delitem(sys.modules, SDK, raising=False)
    settings = BillingSettings(cards="stripe", cards_key="k", cards_webhook_secret="s")
    with pytest.raises(Invalid, match=r"polyclinic\[stripe\]"):
        async with open_cards(settings):
            pass


@pytest.mark.parametrize(
    ("url", "public", "good"),
    [
        ("https://clinic.example/bills", "https://clinic.example", True),
        ("https://clinic.example.evil/bills", "https://clinic.example", False),
        ("http://127.0.0.1:8080/bills", None, True),
        ("https://evil.example/", None, False),
        ("http://localhost.evil.example/", None, False),
        ("https://clinic.example/\n", "https://clinic.example", False),
    ],
)
def test_people_are_sent_back_to_the_clinic_and_nowhere_else(url, public, good):
    if good:
        assert check_return(url, public) == url
    else:
        with pytest.raises(Invalid):
            check_return(url, public)


async def test_an_event_is_heard_only_with_our_signature_in_time(gateway, cards):
    await paid(gateway, cards)
    event = cards.events()[-1]
    payload, signature, now = event["payload"].encode(), event["signature"], clock.now()
    moment = int(signature[2:].partition(",")[0])
    now = now.fromtimestamp(moment, now.tzinfo)
    heard = gateway.hear(payload, signature, now)
    assert (heard.id, heard.about) == (event["id"], "intent")
    for changed in (
        (payload + b" ", signature, now),
        (payload, signature[:-1] + ("0" if signature[-1] != "0" else "1"), now),
        (payload, signature.replace(",v1=", ",v0="), now),
        (payload, "", now),
        (payload, f"t=,{signature}", now),
        (payload, signature, now + timedelta(minutes=5, seconds=1)),
        (payload, signature, now - timedelta(minutes=5, seconds=1)),
    ):
        with pytest.raises(BadSignature):
            gateway.hear(*changed)
    assert gateway.hear(payload, f"{signature},v1=older", now).id == event["id"]


async def test_our_signatures_are_those_of_stripes_own_library(gateway):
    payload, moment = (
        b'{"id":"evt_1","data":{"object":{"object":"refund","id":"re_1"}}}',
        "1700000000",
    )
    mark = hmac.new(SECRET.encode(), f"{moment}.".encode() + payload, "sha256").hexdigest()
    header = f"t={moment},v1={mark}"
    assert stripe.WebhookSignature.verify_header(payload.decode(), header, SECRET)
    now = clock.now()
    assert (
        gateway.hear(payload, header, now.fromtimestamp(1_700_000_000, now.tzinfo)).about
        == "refund"
    )


def test_what_the_gateway_kept_outlives_its_process(tmp_path):
    file = str(tmp_path / "cards.sqlite")
    with cards_at_work("--file", file) as first:
        first.control("clock", seconds=5)
        body = {
            "mode": "payment",
            "line_items[0][price_data][unit_amount]": "500",
            "line_items[0][price_data][currency]": "usd",
            "success_url": BACK,
            "expires_at": str(1 << 33),
        }
        headers = {"authorization": f"Bearer {KEY}", "idempotency-key": "k"}
        made = first.http.post("/v1/checkout/sessions", data=body, headers=headers).json()
    with cards_at_work("--file", file) as second:
        again = second.http.post("/v1/checkout/sessions", data=body, headers=headers).json()
        assert again["id"] == made["id"]
        assert len(second.all("checkout.session")) == 1


class Ear(BaseHTTPRequestHandler):
    """Confirms an event at the second time only."""

    heard: ClassVar[list[tuple[bytes, str]]] = []

    def do_POST(self) -> None:
        payload = self.rfile.read(int(self.headers["content-length"]))
        self.heard.append((payload, self.headers["stripe-signature"]))
        again = [each for each, _ in self.heard].count(payload) > 1
        self.send_response(200 if again else 503)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Says nothing."""


async def test_events_are_sent_with_a_signature_until_they_are_confirmed():
    with HTTPServer(("127.0.0.1", 0), Ear) as server:
        listening = threading.Thread(target=server.serve_forever)
        listening.start()
        with cards_at_work("--hook", f"http://127.0.0.1:{server.server_port}/") as cards:
            settings = BillingSettings(
                cards="http", cards_url=cards.url, cards_key=KEY, cards_webhook_secret=SECRET
            )
            async with open_cards(settings) as gateway:
                assert gateway is not None
                await paid(gateway, cards)
                told = {event["id"] for event in cards.events()}
                for _ in range(600):
                    if len(Ear.heard) >= 2 * len(told):
                        break
                    await asyncio.sleep(0.05)
                heard = [gateway.hear(p, s, clock.now()).id for p, s in Ear.heard]
        server.shutdown()
        listening.join()
    assert sorted(heard) == sorted([*told, *told])
