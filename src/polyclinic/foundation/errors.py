"""Every refusal is one of a few kinds; its docstring is the sentence shown to people.

    Problem
    ├── Invalid            ├── NotProcessable ── TooCostly     ├── TooLarge
    ├── Unauthenticated    ├── Forbidden
    ├── NotFound           ├── Gone   ├── NotSupported
    ├── Conflict           ├── Stale
    └── Unavailable        └── Overloaded

How a kind looks over HTTP is decided at the edge (`foundation/http.py`, `fhirserver/rest`).
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Issue:
    """One thing that is wrong, and where: `place` is a FHIRPath, a parameter or a form field."""

    text: str
    place: str | None = None
    code: str = "invalid"
    severity: str = "error"


class Problem(Exception):
    """The request could not be carried out."""

    code = "processing"

    def __init__(
        self,
        message: str | None = None,
        *,
        place: str | None = None,
        issues: tuple[Issue, ...] = (),
    ) -> None:
        self.message = message or (self.__doc__ or "").strip().splitlines()[0]
        self.place = place
        self.issues = issues or (Issue(self.message, place, self.code),)
        super().__init__(self.message)


class Invalid(Problem):
    """The request is not valid."""

    code = "invalid"


class NotProcessable(Invalid):
    """The request is well formed but breaks a rule."""

    code = "business-rule"


class TooCostly(NotProcessable):
    """The request would cost too much; make it narrower."""

    code = "too-costly"


class TooLarge(Invalid):
    """The request is larger than this server takes."""

    code = "too-long"


class WrongMediaType(Invalid):
    """The body is of a kind that this door does not take."""

    code = "not-supported"


class Unauthenticated(Problem):
    """Sign in first: the access token is missing, expired or not ours."""

    code = "login"


class Forbidden(Problem):
    """You are not allowed to do this."""

    code = "forbidden"


class NotFound(Problem):
    """There is no such thing here."""

    code = "not-found"


class Gone(NotFound):
    """This was deleted."""

    code = "deleted"


class NotSupported(NotFound):
    """This server does not do that."""

    code = "not-supported"


class MethodRefused(NotSupported):
    """This interaction is not offered for this type."""


class Conflict(Problem):
    """Somebody else's change stands against this one."""

    code = "conflict"


class Stale(Conflict):
    """The version you saw is no longer the current one; read it again."""


class Unavailable(Problem):
    """A part that this needs does not answer at the moment; try again shortly."""

    code = "transient"


class Overloaded(Unavailable):
    """More requests arrive than can be answered; try again shortly."""

    code = "throttled"
