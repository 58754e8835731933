"""Who may sign in at the demo clinic. All of them are made up; the passwords are for the demo."""

from dataclasses import dataclass

MARIA_KELLER = "Patient/1b256e34-f417-5fa0-9df7-288fbfb9b8e4"
ANA_RUIZ = "Practitioner/ana-ruiz"
LENA_WONG = "Practitioner/lena-wong"
SOFIE_MEYER = "Practitioner/sofie-meyer"
PRIYA_NAIR = "Practitioner/priya-nair"
TOM_BECKER = "Practitioner/tom-becker"
GRACE_OSEI = "Practitioner/grace-osei"
SAM_WHITFIELD = "Practitioner/sam-whitfield"


@dataclass(frozen=True, slots=True)
class SignIn:
    """One row of what `make up` prints."""

    role: str
    title: str
    user: str
    password: str
    person: str
    name: str
    note: str


def sign_ins() -> tuple[SignIn, ...]:
    return (
        SignIn(
            "patient",
            "Patient",
            "maria",
            "quiet-harbour-maria",
            MARIA_KELLER,
            "Maria Keller",
            "reads her own results, medicines and conditions",
        ),
        SignIn(
            "clinician",
            "Clinician",
            "ruiz",
            "early-round-ruiz",
            ANA_RUIZ,
            "Dr Ana Ruiz",
            "looks after five of the twelve patients; other charts are closed to her",
        ),
        SignIn(
            "front-desk",
            "Front desk",
            "tom",
            "open-counter-tom",
            TOM_BECKER,
            "Tom Becker",
            "finds patients, sees no clinical data",
        ),
        SignIn(
            "billing",
            "Billing",
            "grace",
            "paper-trail-grace",
            GRACE_OSEI,
            "Grace Osei",
            "works on claims and payments",
        ),
        SignIn(
            "administrator",
            "Administrator",
            "sam",
            "brass-keyring-sam",
            SAM_WHITFIELD,
            "Sam Whitfield",
            "looks after the platform, sees no charts",
        ),
    )
