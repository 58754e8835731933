"""Answers of both sides compared after one of them went out; nobody waits for it.

A shadow that is late, fails or finds the queue full touches no answer: it is dropped and counted.
"""

import asyncio
import random
import time
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import httpx
import msgspec

from polyclinic.foundation import clock, telemetry
from polyclinic.foundation.errors import Problem
from polyclinic.services.migration.actions import finding, proving, rolling
from polyclinic.services.migration.actions.plane import Plane
from polyclinic.services.migration.actions.proving import Change
from polyclinic.services.migration.actions.translating import (
    NotTranslated,
    to_candidate,
    to_legacy_shape,
)
from polyclinic.services.migration.domain.diffing.comparing import compare, compare_status
from polyclinic.services.migration.domain.diffing.noise import Wavered, without_noise
from polyclinic.services.migration.domain.diffing.rules import Difference
from polyclinic.services.migration.domain.routing import Match, Side
from polyclinic.services.migration.gateways.upstreams import Question, Whole, plain
from polyclinic.services.migration.store import differences, rules

QUEUE = 200
# One comparison in so many asks the old side twice, to learn what wavers by itself.
LEARN_EVERY = 20
# Two answers of one second often carry one clock reading; the second is asked for in another.
LEARN_AFTER_SECONDS = 1.1
WAVERING_SECONDS = 60.0
# Of somebody who was just written about both sides are asked again after so many times the settling
# time each: the change may not have come over, and people go on writing.
AFTER_A_CHANGE = (1, 2, 4)
_EVERYTHING = ""


class Pair(NamedTuple):
    """A question as it came, and the answer that its sender got."""

    match: Match
    asked: Question
    side: Side
    answer: Whole
    unit: bytes | None


@dataclass(frozen=True, slots=True)
class _Found:
    """What differs and goes on to differ, and what did not when it was asked again."""

    lasting: Sequence[Difference]
    passing: Sequence[Difference] = ()


class Shadows:
    """A queue and a few workers; what does not fit into it is not compared."""

    def __init__(self, plane: Plane) -> None:
        self._plane = plane
        self._queue: asyncio.Queue[Pair | Change] = asyncio.Queue(QUEUE)
        self._learned: dict[tuple[str, str], tuple[float, dict[str, Wavered]]] = {}
        self._count = 0

    def loops(self) -> list[Coroutine[Any, Any, None]]:
        """What has to run for as long as anything is compared."""
        return [self._work() for _ in range(self._plane.settings.shadow_workers)]

    def wants(self, match: Match | None, method: str) -> bool:
        """Whether the other side is asked too: reads, and changes that can be tried dry."""
        if match is None or match.rule.mode not in ("shadow", "canary") or method == "HEAD":
            return False
        return not match.route.changes or bool(match.rule.mode == "shadow" and match.route.dry_run)

    def offer(self, pair: Pair) -> None:
        """Never waits, never fails."""
        rule = pair.match.rule
        if pair.asked.body is None or pair.answer.status >= 500:
            return
        # Whom the old side refused, the new one is not asked for in our own name.
        if pair.match.route.candidate.own and pair.answer.status in (401, 403):
            return
        # Which requests are sampled must tell nobody anything; chance need not be secret.
        if random.random() * 100 >= rule.shadow_percent:  # noqa: S311
            return
        self._put(pair)

    def offer_change(self, change: Change) -> None:
        """Every acknowledged change of a route that says where it shows; never waits or fails."""
        if change.match.route.kept is not None and change.asked.body is not None:
            self._put(change)

    def _put(self, offered: Pair | Change) -> None:
        try:
            self._queue.put_nowait(offered)
        except asyncio.QueueFull:
            self._plane.compared(offered.match.rule, "dropped")

    async def idle(self) -> None:
        """Returns when everything offered so far was compared."""
        await self._queue.join()

    async def _work(self) -> None:
        while True:
            pair = await self._queue.get()
            try:
                await (self._prove(pair) if isinstance(pair, Change) else self._compare(pair))
            except (Problem, httpx.HTTPError):
                self._plane.compared(pair.match.rule, "dropped")
            except Exception as bug:  # noqa: BLE001 - one strange answer must not end the comparing
                telemetry.log_bug("comparison failed", bug, route=pair.match.route.name)
                self._plane.compared(pair.match.rule, "dropped")
            finally:
                self._queue.task_done()

    async def _compare(self, pair: Pair) -> None:
        """Asks the other side and notes what is different."""
        await self._plane.calm()
        pair = pair._replace(answer=plain(pair.answer))
        rule, route = pair.match.rule, pair.match.route
        try:
            answers = await self._both(pair)
        except NotTranslated:
            telemetry.log("shadow not translated", route=route.name)
            self._plane.compared(rule, "dropped")
            return
        if answers is None:
            return
        await self._plane.calm()
        found = self._differences(pair, *answers)
        self._count += 1
        if not found:
            self._plane.compared(rule, "same")
            if self._count % LEARN_EVERY == 0 and not route.changes:
                await asyncio.sleep(LEARN_AFTER_SECONDS)
                await self._twice(pair, answers[0])
            return
        result = _Found(found) if route.changes else await self._again(pair, answers[0], found)
        await self._note(pair.match, result)

    async def _prove(self, change: Change) -> None:
        """Looks for an acknowledged change; a new side that loses one sends everybody back."""
        await self._plane.calm()
        lost = await proving.not_kept(self._plane, change)
        if lost:
            await self._note(change.match, _Found(lost))
        elif lost is not None:
            self._plane.compared(change.match.rule, "same")

    async def _both(self, pair: Pair) -> tuple[Whole, Whole] | None:
        """(legacy, candidate); None when the new side failed, which is counted as such."""
        if pair.side == "candidate":
            legacy = await self._ask(pair, "legacy")
            return (legacy, pair.answer) if legacy.status < 500 else None
        began = time.perf_counter()
        try:
            candidate = await self._ask(pair, "candidate")
        except httpx.HTTPError:
            candidate = Whole(599, [], b"")
        seconds = time.perf_counter() - began
        if pair.match.rule.mode == "shadow":
            self._plane.answered(pair.match.rule, "candidate", candidate.status, seconds)
        return (pair.answer, candidate) if candidate.status < 500 else None

    async def _ask(self, pair: Pair, side: Side) -> Whole:
        seconds = self._plane.settings.candidate_seconds
        if side == "legacy":
            return await self._plane.upstreams.whole("legacy", pair.asked, seconds)
        question = await to_candidate(self._plane.running, pair.match, pair.asked)
        if pair.match.route.changes:
            header = (pair.match.route.dry_run.lower().encode(), b"true")
            question = question._replace(headers=[*question.headers, header])
        whole = await self._plane.upstreams.whole("candidate", question, seconds)
        return to_legacy_shape(pair.match, whole)

    def _differences(self, pair: Pair, legacy: Whole, candidate: Whole) -> list[Difference]:
        rules_ = pair.match.route.compare
        found = compare_status(rules_, legacy.status, candidate.status)
        if found or legacy.status >= 300:
            return found
        return compare(rules_, _json(legacy), _json(candidate))

    async def _again(
        self, pair: Pair, legacy: Whole, found: Sequence[Difference]
    ) -> _Found:  # fmt: skip
        """Asks again, at once and a little later: what lasts is a difference of the two systems."""
        twice = await self._twice(pair, legacy)
        counts, _ = without_noise(found, twice, await self._wavering(pair))
        if not counts:
            return _Found(())
        written = await self._just_written(pair.unit)
        lasting = counts
        for times in AFTER_A_CHANGE if written else (1,):
            await asyncio.sleep(self._plane.settings.settle_seconds * times)
            legacy_now, candidate_now = (
                await self._ask(pair, "legacy"),
                await self._ask(pair, "candidate"),
            )
            if max(legacy_now.status, candidate_now.status) >= 500:
                return _Found(counts)
            still = {(d.path, d.kind) for d in self._differences(pair, legacy_now, candidate_now)}
            lasting = [d for d in lasting if (d.path, d.kind) in still]
            if not lasting:
                break
        # What was on its way from one side to the other wavers by nobody's fault.
        passing = [d for d in counts if d not in lasting] if not written else []
        return _Found(lasting, passing)

    async def _twice(self, pair: Pair, legacy: Whole) -> list[Difference]:
        """What the old side does not say twice; noted, so that it is known the next time."""
        again = await self._ask(pair, "legacy")
        if again.status >= 500:
            return []
        # Both are the old side's words, so the new side's paths and units are not theirs.
        rules_ = pair.match.route.compare
        same = msgspec.structs.replace(rules_, fields=tuple(map(_one_sided, rules_.fields)))
        found = compare_status(same, legacy.status, again.status)
        if not found and legacy.status < 300:
            found = compare(same, _json(legacy), _json(again))
        paths = sorted({d.path for d in found})
        await differences.waver(
            self._plane.running.database,
            _place(pair),
            [_EVERYTHING, *paths],
            [0, *([1] * len(paths))],
        )
        return found

    async def _wavering(self, pair: Pair) -> dict[str, Wavered]:
        place = _place(pair)
        until, known = self._learned.get(place, (0.0, {}))
        if time.monotonic() >= until:
            rows = await differences.wavering(self._plane.running.database, place)
            asked = next((row["asked"] for row in rows if row["path"] == _EVERYTHING), 0)
            known = {row["path"]: Wavered(asked, row["differed"]) for row in rows}
            self._learned[place] = (time.monotonic() + WAVERING_SECONDS, known)
        return known

    async def _note(self, match: Match, found: _Found) -> None:
        """Counts, keeps and, where a patient could be harmed, sends the rollout back."""
        running, rule = self._plane.running, match.rule
        now = clock.now()
        loud = await finding.note(
            running, (rule.capability, match.route.name), (found.lasting, found.passing), now
        )
        serious = [d for d in loud.lasting if d.severity <= 2]
        self._plane.compared(rule, "mismatched" if serious else "different")
        if rule.mode != "canary":
            return
        grave = [d for d in serious if d.severity == 1]
        if grave:
            await rolling.send_back(running, rule, rolling.because_of(match, grave), now)
            await self._plane.look()
        elif any(d.severity == 1 for d in loud.passing):
            await rolling.hold_back(running, rule, rolling.because_of(match, loud.passing), now)

    async def _just_written(self, unit: bytes | None) -> bool:
        """The other side may not have heard of a change yet; that is no wavering of its own."""
        if unit is None:
            return False
        seconds = self._plane.settings.sync_seconds
        return await rules.was_written(self._plane.running.database, unit, seconds)


def _place(pair: Pair) -> tuple[str, str]:
    return pair.match.rule.capability, pair.match.route.name


def _json(answer: Whole) -> Any:
    try:
        return msgspec.json.decode(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        # What is no JSON is compared letter by letter.
        return {"body": answer.body.decode("latin-1")}


def _one_sided(field: Any) -> Any:
    inner = tuple(map(_one_sided, field.fields))
    return msgspec.structs.replace(field, candidate="", candidate_unit="", fields=inner)
