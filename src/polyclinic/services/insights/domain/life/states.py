"""The states of a model, and who may lead it from one to the next."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from polyclinic.foundation.errors import Conflict, Forbidden, NotProcessable

STATES = ("draft", "shadow", "canary", "champion", "former", "withdrawn", "retired")
NEXT = {
    "draft": "shadow",
    "shadow": "canary",
    "canary": "champion",
    "withdrawn": "shadow",
    "former": "shadow",
}
# Shown to people; all others score in silence or not at all.
SEEN = ("canary", "champion")
SCORED = ("shadow", "canary", "champion", "former")
# Patients and treatments change: what was proven a year ago is to be proven again.
LIFE = timedelta(days=365)
SIGNATURES = 2
PROPOSAL_LASTS = timedelta(days=14)


class NoSuchStep(Conflict):
    """From its present state a model cannot be led there."""


class Expired(NotProcessable):
    """The model was validated more than a year ago; validate it again."""


class SignedAlready(Conflict):
    """You signed this already; the second signature is another person's."""


class PeopleOnly(Forbidden):
    """Only people sign; a program has no judgement of its own."""


class ProposalOver(Conflict):
    """The proposal is carried out, withdrawn or too old; propose it again."""


@dataclass(frozen=True, slots=True)
class Registered:
    """One version of a model as it is kept.

    `fallback` is the calculator that speaks when no model may; empty: then nobody speaks. `team`
    are the accounts that see a canary. `reported` is from when on its outcomes count as evidence.
    """

    model: str
    version: str
    task: str
    state: str
    digest: str
    since: datetime
    expires: datetime
    author: str
    fallback: str = ""
    team: tuple[str, ...] = ()
    threshold: float = 1.0

    @property
    def name(self) -> str:
        return f"{self.model}/{self.version}"

    def speaks(self, now: datetime) -> bool:
        """Whether anybody is shown what it says."""
        return self.state in SEEN and now < self.expires


@dataclass(frozen=True, slots=True)
class Proposal:
    """Somebody wants a model led on; it takes effect with the second signature."""

    to: str
    author: str
    at: datetime
    signers: tuple[str, ...] = ()
    open: bool = True


def check_step(model: Registered, to: str, now: datetime) -> None:
    """Raises NoSuchStep, or Expired for what nobody has looked at for a year."""
    if NEXT.get(model.state) != to:
        wanted = NEXT.get(model.state)
        way = f"The next one from {model.state} is {wanted}." if wanted else "It has ended."
        raise NoSuchStep(f"From {model.state} a model cannot become {to}. {way}", place="to")
    if now >= model.expires:
        raise Expired(place="expires")


def needs_signatures(to: str) -> bool:
    """Silence needs none: nobody is shown anything."""
    return to in SEEN


def may_sign(proposal: Proposal, who: str, role: str, now: datetime) -> tuple[str, ...]:
    """The signers with this one; raises what stands against it."""
    if role not in ("administrator", "clinician"):
        raise PeopleOnly
    if not proposal.open or now - proposal.at > PROPOSAL_LASTS:
        raise ProposalOver
    if who in proposal.signers:
        raise SignedAlready
    return (*proposal.signers, who)


def successor(
    fallen: Registered,
    standing: Sequence[tuple[Registered, frozenset[str]]],
    broken: frozenset[str],
    now: datetime,
) -> Registered | None:
    """The former champion, if it uses nothing of what broke and has not expired; else nobody.

    `standing` are models with the names of their features. Where nobody follows, the published
    score of `fallen.fallback` speaks, which checks its own inputs, or silence.
    """
    for model, used in standing:
        is_former = model.task == fallen.task and model.state == "former"
        if is_former and not used & broken and now < model.expires:
            return model
    return None
