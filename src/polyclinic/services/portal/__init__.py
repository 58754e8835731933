"""The portal: the pages of patients, clinicians, the front desk and administrators.

Owns browser sessions and preferences, nothing of health. Everything it shows it asks records for,
in the name and with the token of whoever is signed in.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from polyclinic.foundation.caller import NO_ISSUER
from polyclinic.foundation.service import Running, Service
from polyclinic.services.portal.actions.state import Portal
from polyclinic.services.portal.domain.session import CLIENT
from polyclinic.services.portal.gateways import (
    FhirRecords,
    Health,
    HttpAppointments,
    HttpBilling,
    HttpDeadLetters,
    HttpIdentity,
)
from polyclinic.services.portal.gateways.audit import HttpAudit
from polyclinic.services.portal.gateways.billing_desk import HttpBillingDesk
from polyclinic.services.portal.gateways.insights import HttpInsights
from polyclinic.services.portal.gateways.integration import HttpIntegration
from polyclinic.services.portal.gateways.migration import HttpMigration
from polyclinic.services.portal.jobs import jobs
from polyclinic.services.portal.pages import routes
from polyclinic.services.portal.pages.door import show_problem
from polyclinic.services.portal.settings import PortalSettings


@asynccontextmanager
async def _open_portal(running: Running) -> AsyncGenerator[Portal, None]:
    issuer = (running.platform.public_url or NO_ISSUER).rstrip("/")
    seed = running.root.derive(f"client|{CLIENT}")
    opened = Portal(
        settings=running.settings,
        database=running.database,
        vault=running.vault,
        callers=running.callers,
        issuer=issuer,
        identity=HttpIdentity(running.peers, seed, issuer),
        records=FhirRecords(running.peers),
        appointments=HttpAppointments(running.peers),
        billing=HttpBilling(running.peers),
        billing_desk=HttpBillingDesk(running.peers),
        integration=HttpIntegration(running.peers),
        migration=HttpMigration(running.peers),
        insights=HttpInsights(running.peers),
        audit=HttpAudit(running.peers),
        dead_letters=HttpDeadLetters(running.peers),
        health=Health(running.peers, running.platform.backup_folder),
    )
    async with opened.watch.running():
        yield opened


service = Service(
    name="portal",
    about="The pages of patients, clinicians, the front desk and administrators.",
    security_class="web",
    routes=routes,
    fronts=("/",),
    schema=Path(__file__).parent / "schema",
    settings=PortalSettings,
    needs=(
        "identity",
        "records",
        "appointments",
        "billing",
        "integration",
        "migration",
        "insights",
        "audit",
    ),
    start=_open_portal,
    jobs=jobs,
    show_problem=show_problem,
)
