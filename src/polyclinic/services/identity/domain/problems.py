"""Refusals of OAuth 2 under the standard's own names (RFC 6749 sections 4.1.2.1 and 5.2)."""

from polyclinic.foundation.errors import Forbidden, Invalid, Problem, Unauthenticated


class InvalidRequest(Invalid):
    """The request lacks something, repeats something or holds something that is not valid."""

    error = "invalid_request"


class InvalidGrant(Invalid):
    """The code or refresh token is not valid, was used before, has expired or belongs elsewhere."""

    error = "invalid_grant"


class InvalidScope(Invalid):
    """A scope that was asked for is not known, not well formed or not allowed."""

    error = "invalid_scope"


class UnauthorizedClient(Invalid):
    """This client may not ask in this way."""

    error = "unauthorized_client"


class UnsupportedGrantType(Invalid):
    """This grant type is not offered: authorization_code, refresh_token, client_credentials."""

    error = "unsupported_grant_type"


class UnsupportedResponseType(Invalid):
    """The response type is not offered; use code."""

    error = "unsupported_response_type"


class InvalidClient(Unauthenticated):
    """The client did not prove who it is."""

    error = "invalid_client"


class UnknownClient(Invalid):
    """The page that sent you here is not known to us, so we do not send you back to it."""

    error = "invalid_request"


class WrongPassword(Unauthenticated):
    """That user name and password do not go together."""

    error = "access_denied"


class Stranger(Forbidden):
    """This page was opened somewhere else or too long ago; start again."""

    error = "access_denied"


class TooManyTries(Problem):
    """Too many tries."""

    code = "throttled"
    error = "access_denied"

    def __init__(self, seconds: int) -> None:
        self.seconds = max(1, seconds)
        super().__init__(f"Too many tries. Wait {_spoken(self.seconds)}.")


def error_of(problem: Problem) -> str:
    """The standard's word for a problem."""
    return getattr(problem, "error", None) or (
        "server_error" if type(problem) is Problem else "invalid_request"
    )


def _spoken(seconds: int) -> str:
    if seconds == 1:
        return "1 second"
    if seconds < 120:
        return f"{seconds} seconds"
    return f"{-(-seconds // 60)} minutes"
