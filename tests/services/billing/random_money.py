"""What may happen to a clinic's money in any order; the machine that hypothesis drives."""

import random

from billing_door import BILL, TOM, patient
from cards_at_work import (
    DEBIT,
    DEBIT_FAILS,
    DECLINED,
    FAILING_REFUND,
    GOOD,
    SECOND_STEP,
    SLOW_REFUND,
)
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from money_insurer import broken, decides, in_another_envelope, kept_back, unknown_claim
from money_model import Model, account_of
from money_world import FLIGHT, Clinic

from polyclinic.foundation import ids

# What may happen, and how often it does beside the others.
HAPPENS = {
    "visit": 4, "code_again": 2, "take_back": 2, "go_on_with_a_claim": 3, "insurer_decides": 6,
    "a_file_comes": 4, "give_up_or_bill": 3, "pay_by_card": 8, "an_old_page": 2,
    "hear_of_payments": 4, "give_back": 5, "dispute": 3, "cash_at_the_desk": 2, "a_statement": 1,
    "time_goes_by": 2,
}  # fmt: skip
CARDS = (
    GOOD,
    GOOD,
    GOOD,
    GOOD,
    SECOND_STEP,
    DECLINED,
    DEBIT,
    DEBIT_FAILS,
    SLOW_REFUND,
    FAILING_REFUND,
)
TROUBLES = ("", "", "", "", "lost before", "lost after")
OURS = ("income", "bank", "payer/nhp", "contractual", "adjusted", "written-off", "forwarded/nhp",
        "cash")  # fmt: skip
DECISIONS = ("pay", "pay", "pay", "back", "keep", "unknown")
# Of each line: what the contract takes, the patient owes, is adjusted, is denied; the rest is paid.
PERCENTS = ((20, 0, 0, 0), (10, 15, 0, 0), (33, 20, 7, 0), (0, 100, 0, 0), (0, 0, 0, 100),
            (10, 10, 0, 40), (0, 0, 0, 0), (99, 0, 1, 0))  # fmt: skip
Chance = random.Random


class RandomMoney(RuleBasedStateMachine):
    """Hypothesis' thread hands each request to the loop that billing lives on."""

    clinic: Clinic

    def __init__(self):
        super().__init__()
        self.model = Model()
        self.start = self.clinic.sums()
        self.pages = {}  # payment → address of the card page
        self.lost = []  # (who, amount, key) of card payments whose answer never came
        self.insured, self.other = (self.clinic.new_patient(self.model) for _ in range(2))
        self.clinic.covered(self.insured)
        self.visited(self.insured, [20_000, 5_000])
        self.send(next(iter(self.model.claims)))
        self.visited(self.other, [10_000])

    @rule(chance=st.integers(0, 2**32 - 1).map(Chance))
    def something_happens(self, chance: Chance):
        """Hypothesis chooses the chance; all that follows from it can be told again."""
        (what,) = chance.choices(list(HAPPENS), list(HAPPENS.values()))
        self.clinic.steps += 1
        getattr(self, what)(chance)

    @invariant()
    def the_books_say_what_the_model_says(self):
        sums = self.clinic.sums()
        since = {name: sums.get(name, 0) - self.start.get(name, 0) for name in OURS}
        assert since == {name: self.model.sums[name] for name in OURS}
        held = self.clinic.held(self.model)
        for who in self.model.patients:
            less = self.model.sums[account_of(who)] - sums.get(account_of(who), 0)
            assert less in held.may_owe_less(who), (who, less, held)
        self.clinic.holds()

    def teardown(self):
        self.everything_arrives(Chance(1))
        self.the_books_say_what_the_model_says()

    def did(self, what: str):
        self.clinic.did[what] += 1

    # visits and charges

    def visit(self, chance: Chance):
        amounts = [chance.randint(100, 50_000) for _ in range(chance.randint(1, 3))]
        self.visited(chance.choice(self.model.patients), amounts)

    def visited(self, who: str, amounts: list[int]):
        day = self.clinic.now().date().isoformat()
        body = {"patient": f"Patient/{who}", "day": day, "practitioner": "Practitioner/ana"}
        made = self.clinic.done("/billing/visits", body)["visit"]
        self.model.visits[made] = (who, "nhp" if who == self.insured else None)
        self.clinic.code(self.model, made, amounts)
        self.did("visit")

    def code_again(self, chance: Chance):
        if self.model.to_code:
            self.clinic.code(self.model, self.model.to_code.pop(), [chance.randint(100, 9_000)])
            self.did("coded again")

    def take_back(self, chance: Chance):
        charge = chance.choice(list(self.model.charges.values()))
        (self.abort if chance.random() < 0.7 else self.reverse)(charge)

    def abort(self, charge):
        is_away = charge.claim is not None and self.clinic.status(charge.claim) in FLIGHT
        path, body = f"/billing/charges/{charge.id}/abort", {"reason": "entered-in-error"}
        answer = self.clinic.post(path, body)
        is_allowed = not (charge.is_aborted or is_away)
        assert answer.status_code == (200 if is_allowed else 409), answer.text
        if not is_allowed:
            return
        self.model.takes_back(charge)
        charge.is_aborted = True
        self.did("charge taken back")
        if charge.claim and self.clinic.status(charge.claim) == "draft":
            claim = self.model.claims[charge.claim]
            claim.lines = [line for line in claim.lines if line[1] != charge.id]
        if answer.json()["visit"] == "to code":
            self.model.to_code.append(charge.visit)

    def reverse(self, charge):
        query = "SELECT id FROM billing.ledger_entry WHERE source = $1"
        (row,) = self.clinic.sql(query, f"charge/{charge.id}")
        body = {"entry": str(row["id"]), "reason": "entered-in-error"}
        answer = self.clinic.post("/billing/ledger/reversals", body)
        is_allowed = not (charge.is_reversed or charge.is_aborted)
        assert answer.status_code == (201 if is_allowed else 409), answer.text
        if is_allowed:
            self.model.takes_back(charge)
            charge.is_reversed = True
            self.did("entry reversed")

    # claims and insurers

    def send(self, name: str):
        claim = self.model.claims[name]
        if self.clinic.status(name) in ("draft", "checked") and claim.lines:
            checked = self.clinic.done(f"/billing/claims/{name}/check", {})
            assert checked["status"] == "checked", self.clinic.get(f"/billing/claims/{name}")
            self.clinic.done("/billing/submissions", {"claims": [name]})
            claim.was_sent = True
            self.did("claim sent")

    def go_on_with_a_claim(self, chance: Chance):
        """Sends what waits; a denial is appealed, or corrected and sent again."""
        name = chance.choice(list(self.model.claims))
        if self.clinic.status(name) == "denied":
            how = chance.choice(["appeal", "correction"])
            asked = {"note": "It was needed."} if how == "appeal" else {}
            answer = self.clinic.post(f"/billing/claims/{name}/{how}", asked)
            assert answer.status_code in (200, 409), answer.text
            self.did(how)
            if how == "correction" and answer.is_success:
                # What was taken back does not go out again.
                gone = {each.id for each in self.model.charges.values() if each.is_aborted}
                claim = self.model.claims[name]
                claim.lines = [line for line in claim.lines if line[1] not in gone]
        self.send(name)

    def insurer_decides(self, chance: Chance):
        sent = [each for each in self.model.claims.values() if each.was_sent and each.lines]
        how, percents = chance.choice(DECISIONS), chance.choice(PERCENTS)
        chosen = chance.sample(sent, min(len(sent), chance.randint(1, 2)))
        if how == "unknown" or not chosen:
            advice = unknown_claim(chance.randint(1, 20_000))
        elif how == "keep":
            advice = kept_back(chosen, percents, 1)
        else:
            advice = decides(chosen, percents, back=how == "back")
        self.model.post.append(advice)
        if chance.random() < 0.6:
            self.arrives(advice, advice.content)

    def a_file_comes(self, chance: Chance):
        """In any order, more than once, and now and then damaged."""
        if not self.model.post:
            return
        advice, how = chance.choice(self.model.post), chance.random()
        if how < 0.25:
            answer = self.clinic.file(broken(advice))
            assert answer.status_code in (200, 422)  # the same broken bytes again: told so
            assert answer.json()["status"] == "held"
            self.did("broken file")
        else:
            self.arrives(advice, in_another_envelope(advice) if how < 0.5 else advice.content)

    def arrives(self, advice, content: bytes):
        answer = self.clinic.file(content)
        assert answer.status_code in (200, 201), answer.text
        self.did("file again" if advice.has_arrived else "file")
        self.model.arrives(advice)

    def give_up_or_bill(self, chance: Chance):
        name, to = (
            chance.choice(list(self.model.claims)),
            chance.choice(["write-off", "to-patient"]),
        )
        claim = self.model.claims[name]
        amount = max(1, abs(claim.left) * chance.randint(1, 120) // 100)
        reason = "courtesy" if to == "write-off" else "CO-50"
        asked = {"reason": reason, "amount": amount}
        answer = self.clinic.post(f"/billing/claims/{name}/{to}", asked)
        # While the payer decides, nobody else does.
        is_allowed = amount <= claim.left and self.clinic.status(name) not in FLIGHT[:2]
        assert answer.status_code == (200 if is_allowed else 409), (answer.text, claim)
        if answer.status_code == 200:
            account = "written-off" if to == "write-off" else account_of(claim.patient)
            self.model.move(account, "payer/nhp", amount, name)
            self.did(to)

    # patients pay

    def pay_by_card(self, chance: Chance):
        """Pressed twice, answers lost, any card; then they come back, or only news do."""
        who, percent = chance.choice(self.model.patients), chance.randint(1, 101)
        payable = self.clinic.payments(who)["payable"]
        amount = payable * percent // 100 + (percent > 100)
        if amount < 50:
            return
        body = {"amount": amount, "method": "card", "return_url": "http://clinic.test/bills"}
        key = ids.new_id()
        self.trouble(chance.choice(TROUBLES))
        answers = self.clinic.at_once("/billing/payments", body, patient(who), 2,
                                      idempotency_key=key)  # fmt: skip
        self.trouble("")
        assert {each.status_code for each in answers} <= {201, 409, 422, 503}
        for answer in answers:
            if answer.status_code == 503:
                self.lost.append((who, amount, key))
                self.did("answer lost")
            elif answer.status_code == 201:
                self.opened(answer.json())
                if chance.random() < 0.8:
                    self.on_the_page(answer.json()["payment"], chance)
                if chance.random() < 0.5:
                    self.come_back(answer.json()["payment"], who)
        self.hear_of_payments(chance)

    def trouble(self, what: str):
        self.clinic.cards.control("trouble", next=[what] if what else [])

    def opened(self, payment):
        if payment["action_url"]:
            self.pages[payment["payment"]] = payment["action_url"]
            self.did("card page")

    def on_the_page(self, payment: str, chance: Chance):
        if payment in self.pages:
            number, agree = chance.choice(CARDS), chance.random() < 0.8
            self.clinic.cards.pay(self.pages[payment], number, agree=agree)
            self.did(f"card {number}")

    def an_old_page(self, chance: Chance):
        if self.pages:
            self.on_the_page(chance.choice(list(self.pages)), chance)

    def hear_of_payments(self, chance: Chance):
        whose, how = self.clinic.whose(self.model), chance.random()
        if how < 0.3 and whose:
            payment = chance.choice(sorted(whose))
            self.come_back(payment, whose[payment])
        elif how < 0.7:
            # Half of the webhooks, sometimes doubled, in any order.
            chosen = [each for each in self.clinic.mail(self.model) if chance.random() < 0.5]
            chosen *= chance.randint(1, 2)
            chance.shuffle(chosen)
            self.clinic.hear(chosen)
        elif how < 0.85:
            self.ask_again_for_what_was_lost()

    def come_back(self, payment: str, who: str):
        answer = self.clinic.post(f"/billing/payments/{payment}/settle", {}, patient(who))
        assert answer.status_code == 200, answer.text

    def ask_again_for_what_was_lost(self):
        for who, amount, key in self.lost:
            answer = self.clinic.start(who, amount, idempotency_key=key)
            assert answer.status_code in (201, 409, 422), answer.text
            if answer.status_code == 201:
                self.opened(answer.json())
        self.lost.clear()

    def give_back(self, chance: Chance):
        payments = {
            each["id"]: each["amount"]
            for who in self.model.patients
            for each in self.clinic.payments(who)["payments"]
            if each["method"] == "card" and (each["status"] == "succeeded" or chance.random() < 0.1)
        }
        if not payments:
            return
        payment = chance.choice(sorted(payments))
        amount = max(1, payments[payment] * chance.randint(1, 110) // 100)
        self.trouble(chance.choice(TROUBLES))
        path, body = f"/billing/payments/{payment}/refunds", {"amount": amount, "reason": "other"}
        answers = self.clinic.at_once(path, body, BILL, 2, idempotency_key=ids.new_id())
        self.trouble("")
        said = {each.status_code for each in answers}
        assert said <= {201, 409, 422, 503}
        assert amount <= payments[payment] or 201 not in said
        self.did(f"refund {min(said)}")

    def dispute(self, chance: Chance):
        mine, end = self.clinic.paid(self.model), chance.choice(["", "won", "lost"])
        for each in self.clinic.cards.all("dispute"):
            if each["payment_intent"] in mine and each["status"] == "needs_response" and end:
                self.clinic.cards.control("disputes", dispute=each["id"], status=end)
                self.did(f"dispute {end}")
        for kind in ("dispute", "refund"):
            for each in self.clinic.cards.all(kind):
                mine.pop(each["payment_intent"], None)
        if mine:
            charge = chance.choice(sorted(mine))
            amount = max(1, mine[charge] * chance.randint(1, 100) // 100)
            self.clinic.cards.control("disputes", payment_intent=charge, amount=amount)
            self.did("dispute")

    def cash_at_the_desk(self, chance: Chance):
        """Pressed three times; some of it, or more than it, is asked back."""
        who, amount = chance.choice(self.model.patients), chance.randint(1, 3_000)
        body = {"patient": f"Patient/{who}", "amount": amount, "method": "cash"}
        answers = self.clinic.at_once("/billing/payments", body, TOM, 3,
                                      idempotency_key=ids.new_id())  # fmt: skip
        (made,) = {each.json()["payment"] for each in answers if each.status_code == 201}
        self.model.move("cash", account_of(who), amount)
        if back := amount * chance.randint(0, 120) // 100:
            body = {"amount": back, "reason": "overpaid"}
            answer = self.clinic.post(f"/billing/payments/{made}/refunds", body)
            assert answer.status_code == (201 if back <= amount else 422), answer.text
            self.model.move(account_of(who), "cash", back if back <= amount else 0)
            self.did("cash back")

    def a_statement(self, chance: Chance):
        who = chance.choice(self.model.patients)
        owed = self.clinic.sums().get(account_of(who), 0)
        answer = self.clinic.post("/billing/statements", {"patient": f"Patient/{who}"})
        assert answer.status_code == (201 if owed > 0 else 422), answer.text
        if owed > 0:
            assert answer.json()["total"] == owed
            self.did("statement")

    def time_goes_by(self, chance: Chance):
        self.everything_arrives(chance)
        today = self.clinic.now().date()
        self.clinic.next_day()
        self.clinic.done("/billing/days", {"day": today.isoformat()})
        self.did("day closed")

    def everything_arrives(self, chance: Chance):
        """Then nothing is uncertain: to the cent, what the gateway holds is what we hold."""
        self.ask_again_for_what_was_lost()
        self.clinic.everything_arrives(self.model, chance)
        held, sums = self.clinic.held(self.model), self.clinic.sums()
        for who in self.model.patients:
            less = self.model.sums[account_of(who)] - sums.get(account_of(who), 0)
            assert less == held.owed_less(who), (less, held)
        for name, amount in (("card", held.in_card), ("disputed", held.disputed)):
            assert sums.get(name, 0) - self.start.get(name, 0) == amount, (name, held)
