"""Who takes card payments: nobody, an address shaped as Stripe's, or Stripe through its SDK."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from polyclinic.foundation.errors import Invalid
from polyclinic.services.billing.gateways.cards.http import HttpTransport
from polyclinic.services.billing.gateways.cards.port import PaymentGateway
from polyclinic.services.billing.gateways.cards.shaped import Shaped
from polyclinic.services.billing.settings import BillingSettings

__all__ = ["PaymentGateway", "open_cards"]


@asynccontextmanager
async def open_cards(settings: BillingSettings) -> AsyncGenerator[PaymentGateway | None, None]:
    """The gateway that the settings choose; a missing key or package is said at the start."""
    if settings.cards == "none":
        yield None
        return
    if settings.cards not in ("http", "stripe"):
        raise Invalid(
            "POLYCLINIC_BILLING_CARDS is none, http or stripe.", place="POLYCLINIC_BILLING_CARDS"
        )
    key, secret = _needed(settings, "cards_key"), _needed(settings, "cards_webhook_secret")
    if settings.cards == "stripe":
        # Imported here because the package is an optional extra.
        from polyclinic.services.billing.gateways.cards.sdk import (  # noqa: PLC0415
            SdkTransport,
        )

        transport = SdkTransport(key, settings.cards_url)
    else:
        transport = HttpTransport(_needed(settings, "cards_url"), key)
    try:
        yield Shaped(transport, secret)
    finally:
        await transport.close()


def _needed(settings: BillingSettings, name: str) -> str:
    value: str | None = getattr(settings, name)
    if not value:
        variable = f"POLYCLINIC_BILLING_{name.upper()}"
        raise Invalid(f"Card payments need the setting {variable}.", place=variable)
    return value
