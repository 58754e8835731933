"""The life of a model: what it must show before anybody sees it, and what sends it back.

draft -> shadow (scores in silence) -> canary (one team) -> champion; then former, withdrawn or
retired. Gates and two people's signatures lead upwards; drift leads down by itself.
"""

from polyclinic.services.insights.domain.life.states import (
    NEXT,
    STATES,
    Proposal,
    Registered,
    check_step,
    may_sign,
)

__all__ = ["NEXT", "STATES", "Proposal", "Registered", "check_step", "may_sign"]
