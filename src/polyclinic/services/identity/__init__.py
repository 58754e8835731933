"""Identity: who may sign in, as whom, and which programs may act for them.

Owns accounts, lockouts, sessions, clients, grants, codes, tokens and the keys that sign them.
Says who is calling by signed access tokens; publishes the keys to check them. Knows nothing of
health care but the FHIR reference of the person behind an account.
"""

from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from polyclinic.foundation import trail
from polyclinic.foundation.errors import Problem
from polyclinic.foundation.service import Service
from polyclinic.services.identity import pages, routes
from polyclinic.services.identity.actions.state import open_identity
from polyclinic.services.identity.jobs import jobs
from polyclinic.services.identity.settings import IdentitySettings
from polyclinic.services.identity.store.events import security_trail


async def _show_problem(request: Request, problem: Problem, status: int) -> Response:
    """People read pages, programs read OAuth 2's JSON."""
    if request.url.path in pages.PATHS:
        return await pages.show_problem(request, problem, status)
    return await routes.show_problem(request, problem, status)


service = Service(
    name="identity",
    about="Sign-ins, accounts, clients and the tokens that every other service trusts.",
    security_class="vault",
    routes=(*routes.routes, *pages.page_routes),
    fronts=("/identity",),
    schema=Path(__file__).parent / "schema",
    mounts=(trail.SCHEMA,),
    settings=IdentitySettings,
    start=open_identity,
    jobs=jobs,
    trails=(security_trail,),
    show_problem=_show_problem,
)
