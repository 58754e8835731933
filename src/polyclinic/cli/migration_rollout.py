"""The story's second part: the gateway, a capability in shadow and canary, a fault, and back."""

import asyncio
import base64
import itertools
import time
from importlib import resources
from typing import Any

import httpx
import yaml

from polyclinic.cli import migrating
from polyclinic.cli.migration_stage import Stage
from polyclinic.foundation.errors import Unavailable

CAPABILITY, FAULT = "allergies", "allergy-milder"
PATIENTS, ASKED = 60, 120
# A real ladder takes weeks; here a step is due as soon as enough was seen. Of all who are asked
# about, chance moves half: with a sample of 40 one story in 200 was not due.
LADDER = [{"percent": p, "minutes": 0, "sample": 20} for p in (0, 50, 100)]
PATIENCE_SECONDS = 120
_WHY = "A story: nobody is treated in this clinic."
_ROUTE = f"/migration/routes/{CAPABILITY}"


async def shadow(stage: Stage) -> None:
    """Clients come by the gateway; the old clinic still answers, its replacement is asked too."""
    text = (resources.files("polyclinic.demo") / "harbor_street.yaml").read_text()
    routes = yaml.safe_load(text)["capabilities"][CAPABILITY]
    said = {"reason": "First slice.", "routes": routes, "ladder": LADDER}
    await migrating.put(stage.leader, _ROUTE, said)
    await migrating.post(stage.leader, f"{_ROUTE}/mode", {"mode": "shadow", "reason": "Compare."})
    await _mode_is(stage, "shadow")
    wrong = await _ask(stage)
    await _when(stage, _is_due, "the comparisons")
    stage.say(f"{ASKED} requests by the gateway; {wrong} answers differ from the old clinic's own.")


async def canary(stage: Stage) -> None:
    """Half of the patients are answered by the replacement, each always by the same side."""
    reason = {"mode": "canary", "reason": "Nothing serious differed.", "override": _WHY}
    await migrating.post(stage.leader, f"{_ROUTE}/mode", reason)
    await _mode_is(stage, "canary")
    wrong = await _ask(stage)
    rule = (await _rule(stage))["rule"]
    stage.say("The plan's open gates were overridden, with a reason that is kept.")
    stage.say(f"{rule['percent']} % moved; {wrong} of {ASKED} answers differ.")


async def goes_back(stage: Stage) -> None:
    """The replacement shows a severe allergy as mild: nobody has to notice it for it to end."""
    async with httpx.AsyncClient() as client:
        await client.post(f"{stage.copy_url}/_control/faults", json={"on": [FAULT]})
    begun = time.monotonic()
    for _ in range(PATIENCE_SECONDS):
        await _ask(stage)
        if (await _rule(stage))["rule"]["mode"] != "canary":
            break
        await asyncio.sleep(0.5)
    else:
        raise Unavailable("The rollout did not go back.")
    seconds = time.monotonic() - begun
    await asyncio.sleep(2)
    wrong = await _ask(stage)
    found = (await migrating.get(stage.leader, "/migration/incidents"))["incidents"]
    stage.say(f"The replacement shows severe allergies as mild: back after {seconds:.0f} s.")
    stage.say(f"Incidents for a person to look at: {len(found)}.")
    stage.say(f"Now {wrong} of {ASKED} answers differ: everybody is on the old side again.")


CHAPTERS = (
    ("The gateway stands between: allergies in shadow", shadow),
    ("Half of the patients", canary),
    ("The replacement goes wrong, and the rollout back", goes_back),
)


async def _ask(stage: Stage) -> int:
    """Looks up allergies through the gateway; how many answers differ from the old clinic's."""
    proof = base64.b64encode(b"skim:harbor").decode()
    headers = {"authorization": f"Basic {proof}"}
    numbers = itertools.islice(itertools.cycle(range(PATIENTS)), ASKED)
    wrong = 0
    async with httpx.AsyncClient(headers=headers, timeout=30) as client:
        for number in numbers:
            if number % 50 == 49:
                continue  # deleted softly
            path = f"/api/patient/HS-{100000 + number * 7}/allergies"
            mine = await client.get(f"{stage.gateway_url}{path}")
            own = await client.get(f"{stage.legacy_url}{path}")
            wrong += mine.json() != own.json()
    return wrong


async def _rule(stage: Stage) -> Any:
    return await migrating.get(stage.leader, _ROUTE)


async def _is_due(stage: Stage) -> bool:
    """Whether enough was seen; for the gates of the plan people sign, and a story has none."""
    waits = (await _rule(stage))["numbers"].get("waits_for") or ()
    return all(each.startswith("Gate ") for each in waits)


async def _mode_is(stage: Stage, mode: str) -> None:
    async def is_there(stage: Stage) -> bool:
        return (await _rule(stage))["rule"]["mode"] == mode

    await _when(stage, is_there, mode)
    await asyncio.sleep(2)  # every gateway has looked by then


async def _when(stage: Stage, asked: Any, what: str) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while not await asked(stage):
        if time.monotonic() > until:
            raise Unavailable(f"Waited too long for {what}.")
        await asyncio.sleep(0.5)
