"""Accounts: who can sign in, in which role, as which person of FHIR."""

import re
import unicodedata
from dataclasses import dataclass
from uuid import UUID

from polyclinic.foundation.errors import Invalid

ROLES = ("patient", "clinician", "front-desk", "billing", "administrator")
NAME_MAX = 254  # the longest e-mail address, RFC 5321
# NIST SP 800-63B: eight characters or more, of any kind, and no rules of composition.
PASSWORD_MIN, PASSWORD_MAX = 8, 256
PERSON = re.compile(r"(Patient|Practitioner|RelatedPerson)/[A-Za-z0-9.-]{1,64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody who can sign in."""

    id: UUID
    role: str
    person: str | None
    display: str
    password_hash: str
    is_disabled: bool = False


@dataclass(frozen=True, slots=True)
class NewAccount:
    """What an account is made from."""

    user: str
    password: str
    role: str
    person: str | None
    display: str


def plain_name(typed: str) -> str:
    """A user name as it is compared: people type spaces, capitals and composed letters."""
    return unicodedata.normalize("NFKC", typed).strip().casefold()


def checked(new: NewAccount, place: str) -> NewAccount:
    """The account as asked, or a refusal that names the field."""
    name = plain_name(new.user)
    if not 2 <= len(name) <= NAME_MAX or not name.isprintable():
        raise Invalid("A user name has 2 to 254 characters.", place=f"{place}.user")
    if not PASSWORD_MIN <= len(new.password) <= PASSWORD_MAX:
        raise Invalid("A password has 8 to 256 characters.", place=f"{place}.password")
    if new.role not in ROLES:
        raise Invalid(f"A role is one of {', '.join(ROLES)}.", place=f"{place}.role")
    if new.person is not None and not PERSON.fullmatch(new.person):
        raise Invalid("A person is a reference such as Patient/1.", place=f"{place}.person")
    if new.role == "patient" and not (new.person or "").startswith("Patient/"):
        raise Invalid("A patient's account names its Patient.", place=f"{place}.person")
    if len(new.display) > 200:
        raise Invalid("A name has at most 200 characters.", place=f"{place}.name")
    return new


def can_be_right(password: str) -> bool:
    """Longer ones are refused before they cost anything."""
    return 0 < len(password) <= PASSWORD_MAX
