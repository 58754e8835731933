"""How a capability may move: one mode after the other, back at any time, and never by surprise."""

from datetime import datetime

import msgspec

from polyclinic.foundation.errors import Conflict, NotProcessable
from polyclinic.services.migration.domain.ladder import Standing, next_percent, reasons_to_wait
from polyclinic.services.migration.domain.routing import MODES, Mode, RouteRule

PERSON_FREE = 100


class NotYet(Conflict):
    """The rollout may not go on yet."""

    def __init__(self, reasons: list[str]) -> None:
        super().__init__(" ".join([self.__doc__ or "", *reasons]))
        self.reasons = reasons


class NoSuchMove(NotProcessable):
    """A capability goes off, shadow, canary, live, retired: one step forward, or back."""


class Retired(Conflict):
    """A retired capability comes back as live only: its old system may be gone."""


class StillUsed(Conflict):
    """The old side was used within 30 days; it cannot be retired."""


def moved(rule: RouteRule, mode: Mode, standing: Standing, now: datetime) -> RouteRule:
    """The rule in its next mode; raises NoSuchMove, NotYet, Retired."""
    here, there = MODES.index(rule.mode), MODES.index(mode)
    if rule.mode == "retired" and mode != "live":
        raise Retired
    if there > here + 1 or there == here:
        raise NoSuchMove(place="mode")
    if there < here:
        return back(rule, mode) if rule.mode != "retired" else _changed(rule, mode="live")
    if mode in ("canary", "live"):
        _check(rule, standing, now)
    if mode == "live" and rule.percent < PERSON_FREE:
        raise NotYet([f"{rule.percent} of 100 percent are on the new side."])
    percent = {"canary": next_percent(rule.ladder, 0) or PERSON_FREE}.get(mode, rule.percent)
    return _changed(rule, mode=mode, percent=percent, held=False)


def stepped(rule: RouteRule, percent: int | None, standing: Standing, now: datetime) -> RouteRule:
    """The rule on its next step, or on a lower one; only up must be due."""
    if rule.mode != "canary":
        raise NoSuchMove("Only a canary has steps.", place="mode")
    up = next_percent(rule.ladder, rule.percent)
    wanted = up if percent is None else percent
    if wanted is None:
        raise NoSuchMove("This is the last step; the next is live.", place="percent")
    if wanted > rule.percent:
        if wanted != up:
            raise NoSuchMove(f"The next step is {up} percent.", place="percent")
        _check(rule, standing, now)
    return _changed(rule, percent=max(wanted, 0))


def back(rule: RouteRule, mode: Mode, *, held: bool = False) -> RouteRule:
    """Everybody back: what visits were promised no longer counts."""
    percent = PERSON_FREE if mode == "canary" and rule.mode == "live" else 0
    epoch = rule.epoch + 1
    return _changed(rule, mode=mode, percent=percent, epoch=epoch, held=held)


def _check(rule: RouteRule, standing: Standing, now: datetime) -> None:
    if reasons := reasons_to_wait(rule.ladder, standing, now):
        raise NotYet(reasons)


def _changed(rule: RouteRule, **changes: object) -> RouteRule:
    return msgspec.structs.replace(rule, **changes)
