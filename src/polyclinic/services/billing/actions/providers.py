"""Clinicians as claims name them."""

import msgspec

from polyclinic.foundation.errors import Invalid
from polyclinic.services.billing.actions.state import Asker, Books
from polyclinic.services.billing.domain import access
from polyclinic.services.billing.store import claims
from polyclinic.standards.x12.professional_claim.checks import is_npi


class ProviderAsked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Names as the NPI registry has them."""

    last_name: str
    first_name: str
    npi: str
    taxonomy: str = ""


async def set_provider(
    books: Books, asker: Asker, practitioner: str, asked: ProviderAsked
) -> dict[str, object]:
    access.check_biller(asker.caller, "Claim", "u")
    if not is_npi(asked.npi):
        raise Invalid("An NPI has ten digits, the last of which proves the others.", place="npi")
    for place, text in (("last_name", asked.last_name), ("first_name", asked.first_name)):
        if not 1 <= len(text.strip()) <= 60:
            raise Invalid("A name has 1 to 60 characters.", place=place)
    values = (practitioner, asked.last_name, asked.first_name, asked.npi, asked.taxonomy)
    async with books.running.database.transaction() as tx:
        await claims.set_provider(tx, values)
    return {"practitioner": practitioner, "npi": asked.npi}
