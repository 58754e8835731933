"""A random clinic against a simple model: what the model allows happens, nothing else does."""

import asyncio

import pytest
from desk_door import TOM, Door, at, patient
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

STARTS = [f"{hour:02}:{minute:02}" for hour in (9, 10) for minute in (0, 20, 40)]
DOCTORS = ("ana", "lena")
PEOPLE = ("m1", "m2", "m3")
STEPS = 25

starts, doctors, people = map(st.sampled_from, (STARTS, DOCTORS, PEOPLE))


class Clinic(RuleBasedStateMachine):
    """Hypothesis' thread hands each request to the loop that the desk lives on."""

    door: Door
    loop: asyncio.AbstractEventLoop

    def wait(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(120)

    def __init__(self):
        super().__init__()
        self.wait(self.door.empty())
        self.booked = {}  # id → (who, doctor, start)
        self.held = {}  # who → (hold, doctor, start)

    def is_free(self, doctor, start, but=None):
        taken = {v[1:] for name, v in self.booked.items() if name != but}
        taken |= {v[1:] for v in self.held.values()}
        return (doctor, start) not in taken

    def is_elsewhere(self, who, start, but=None):
        return any(v[0] == who and v[2] == start for n, v in self.booked.items() if n != but)

    @rule(who=people, doctor=doctors, start=starts)
    def book(self, who, doctor, start):
        answer = self.wait(self.door.book(patient(who), at(20, start), doctor))
        allowed = self.is_free(doctor, start) and not self.is_elsewhere(who, start)
        assert answer.status_code == (201 if allowed else 409), answer.text
        if allowed:
            self.booked[answer.json()["appointment"]["id"]] = (who, doctor, start)

    @rule(who=people, doctor=doctors, start=starts)
    def hold(self, who, doctor, start):
        body = {"visit_type": "visit", "practitioner": f"Practitioner/{doctor}",
                "start": at(20, start)}  # fmt: skip
        answer = self.wait(self.door.ask(patient(who), "POST", "/appointments/holds", body))
        own = self.held.get(who, ("",))[1:] == (doctor, start)
        assert answer.status_code == (201 if own or self.is_free(doctor, start) else 409)
        if answer.status_code == 201:
            self.held[who] = (answer.json()["hold"]["id"], doctor, start)

    @rule(who=people)
    def confirm(self, who):
        if who not in self.held:
            return
        hold, doctor, start = self.held.pop(who)
        path = "/appointments/bookings"
        answer = self.wait(self.door.ask(patient(who), "POST", path, {"hold": hold}))
        allowed = not self.is_elsewhere(who, start)
        assert answer.status_code == (201 if allowed else 409), answer.text
        if allowed:
            self.booked[hold] = (who, doctor, start)

    @rule(doctor=doctors, start=starts, data=st.data())
    def move(self, doctor, start, data):
        if not self.booked:
            return
        name = data.draw(st.sampled_from(sorted(self.booked)))
        who = self.booked[name][0]
        body = {"start": at(20, start), "practitioner": f"Practitioner/{doctor}"}
        url = f"/appointments/{name}/reschedule"
        answer = self.wait(self.door.ask(patient(who), "POST", url, body))
        allowed = self.is_free(doctor, start, name) and not self.is_elsewhere(who, start, name)
        same = self.booked[name][1:] == (doctor, start)
        assert answer.status_code == (200 if allowed or same else 409), answer.text
        if answer.status_code == 200:
            self.booked[name] = (who, doctor, start)

    @rule(data=st.data())
    def cancel(self, data):
        if self.booked:
            name = data.draw(st.sampled_from(sorted(self.booked)))
            answer = self.wait(self.door.ask(TOM, "POST", f"/appointments/{name}/cancel", {}))
            assert answer.status_code == 200, answer.text
            del self.booked[name]

    @invariant()
    def the_tables_say_what_the_model_says(self):
        rows = self.wait(self.door.sql(
            "SELECT id::text, patient FROM appointments.appointment WHERE status = 'booked'"
        ))  # fmt: skip
        known = {name: f"Patient/{v[0]}" for name, v in self.booked.items()}
        assert {row["id"]: row["patient"] for row in rows} == known
        atoms = self.wait(self.door.sql("SELECT count(*) FROM appointments.atom"))[0][0]
        assert atoms == len(self.booked) * 8 + len(self.held) * 4

    def teardown(self):
        self.wait(self.door.never_wrong())


@pytest.mark.parametrize(
    "examples", [5, pytest.param(150, marks=[pytest.mark.long, pytest.mark.timeout(900)])]
)
async def test_random_worlds_agree_with_a_simple_model(door: Door, examples, record_property):
    chosen = settings(
        max_examples=examples, stateful_step_count=STEPS, deadline=None, derandomize=True,
        phases=(Phase.generate,), suppress_health_check=list(HealthCheck), database=None,
    )  # fmt: skip
    here = {"door": door, "loop": asyncio.get_running_loop()}
    clinic = type("ThisClinic", (Clinic,), here)
    await asyncio.to_thread(run_state_machine_as_test, clinic, settings=chosen)
    record_property("worlds", examples)
    record_property("steps in each, at most", STEPS)
