"""The same requests through Stripe's own SDK (PyPI `stripe`, the extra `polyclinic[stripe]`)."""

from collections.abc import Mapping
from typing import Literal

import msgspec

from polyclinic.foundation.errors import Invalid, Unavailable
from polyclinic.services.billing.domain.cards import CardsRefused
from polyclinic.services.billing.gateways.cards.http import SECONDS, VERSION, plain_code

try:
    import stripe
    from stripe import HTTPXClient, StripeClient
except ImportError as missing:
    raise Invalid(
        "Card payments through stripe need its package: install polyclinic[stripe].",
        place="POLYCLINIC_BILLING_CARDS",
    ) from missing


class SdkTransport:
    """Stripe's client; `url` only where another address than Stripe's is asked."""

    def __init__(self, key: str, url: str | None = None) -> None:
        self._http = HTTPXClient(timeout=SECONDS)
        self._client = StripeClient(
            key,
            stripe_version=VERSION,
            base_addresses={"api": url.rstrip("/")} if url else {},
            max_network_retries=1,
            http_client=self._http,
        )

    async def ask(
        self, method: str, path: str, values: Mapping[str, object], key: str | None = None
    ) -> dict[str, object]:
        verb: Literal["get", "post"] = "get" if method == "GET" else "post"
        options = {"idempotency_key": key} if key else {}
        try:
            answer = await self._client.raw_request_async(verb, path, **values, **options)
        except (stripe.APIConnectionError, stripe.RateLimitError) as lost:
            raise Unavailable("The card gateway does not answer.", place="cards") from lost
        except stripe.StripeError as refused:
            if (refused.http_status or 500) >= 500 or refused.http_status == 409:
                raise Unavailable("The card gateway does not answer.", place="cards") from refused
            kind = refused.error.type if refused.error else None
            raise CardsRefused(plain_code(refused.code or kind)) from refused
        return msgspec.json.decode(answer.body, type=dict[str, object])

    async def close(self) -> None:
        await self._http.close_async()
