"""When a message is tried again: each wait twice the last, never all at the same moment."""

# While an owner does not answer, nobody's message is to blame: these waits stay short.
OUTAGE_LONGEST_SECONDS = 30.0


def wait_seconds(tries: int, first: float, longest: float, chance: float) -> float:
    """After `tries` failures; `chance` from 0 to 1 spreads it from half to the whole."""
    whole = min(first * 2 ** min(tries, 30), longest)
    return whole * (0.5 + chance / 2)
