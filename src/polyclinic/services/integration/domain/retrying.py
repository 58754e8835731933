"""When something is sent again, and when a receiver is left alone for a while."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime

MINUTE, HOUR = 60.0, 3600.0
# Standard Webhooks: ten attempts within 75 hours and a half.
SCHEDULE = (
    0.0, 5.0, 5 * MINUTE, 30 * MINUTE,
    2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR,
)  # fmt: skip
JITTER = 0.2  # so that what failed together does not come back together
LONGEST_SECONDS = 24 * HOUR

# A receiver that failed so often in a row is asked with one message at a time, and ever later.
FAILURES_TO_REST = 5
REST_FIRST_SECONDS, REST_MAX_SECONDS = 30.0, 600.0

GONE = 410
THROTTLED = (429, 502, 503, 504)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an attempt means. `again` None: not sent again by itself.

    `rest` is how long nothing at all is sent to this receiver; `disable` ends it.
    """

    is_done: bool
    again: float | None = None
    rest: float = 0.0
    disable: bool = False


def judged(status: int, retry_after: float | None, attempts: int, chance: float) -> Verdict:
    """Of an answer (0: there was none) to the attempt number `attempts`, from 1 on.

    2xx alone is success; 3xx is a failure like any other. `chance` is from 0 to 1.
    """
    if 200 <= status < 300:
        return Verdict(is_done=True)
    if status == GONE:
        return Verdict(is_done=False, again=0.0, disable=True)
    if attempts >= len(SCHEDULE):
        return Verdict(is_done=False)
    wait = SCHEDULE[attempts] * (1 + JITTER * chance)
    rest = 0.0
    if status in THROTTLED:
        rest = min(retry_after if retry_after is not None else 0.0, LONGEST_SECONDS)
        rest = rest or min(SCHEDULE[1] * 2 ** (attempts - 1), REST_MAX_SECONDS)
    return Verdict(is_done=False, again=max(wait, rest), rest=rest)


def rest_after(failures: int, chance: float) -> float:
    """How long a receiver rests after so many failures in a row; 0 while it need not."""
    over = failures - FAILURES_TO_REST
    if over < 0:
        return 0.0
    return min(REST_FIRST_SECONDS * 2 ** min(over, 10), REST_MAX_SECONDS) * (1 + JITTER * chance)


def retry_after(text: str, now: datetime) -> float | None:
    """Seconds of a Retry-After header, which is a number or a date; none of anything else."""
    text = text.strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:12]), LONGEST_SECONDS)
    try:
        at = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    if at.tzinfo is None:
        return None
    return min(max((at - now) / timedelta(seconds=1), 0.0), LONGEST_SECONDS)
