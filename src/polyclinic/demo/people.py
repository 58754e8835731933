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


_MARIA = SignIn(
    role="patient",
    title="Patient",
    user="maria",
    password="quiet-harbour-maria",  # noqa: S106 - it opens nothing but synthetic charts
    person=MARIA_KELLER,
    name="Maria Keller",
    note="reads her own results, medicines and conditions",
)
_ANA = SignIn(
    role="clinician",
    title="Clinician",
    user="ruiz",
    password="early-round-ruiz",  # noqa: S106 - as above
    person=ANA_RUIZ,
    name="Dr Ana Ruiz",
    note="looks after five of the twelve patients; the other charts are closed to her",
)
_TOM = SignIn(
    role="front-desk",
    title="Front desk",
    user="tom",
    password="open-counter-tom",  # noqa: S106 - as above
    person=TOM_BECKER,
    name="Tom Becker",
    note="finds patients, sees no clinical data",
)
_GRACE = SignIn(
    role="billing",
    title="Billing",
    user="grace",
    password="paper-trail-grace",  # noqa: S106 - as above
    person=GRACE_OSEI,
    name="Grace Osei",
    note="works on claims and payments",
)
_SAM = SignIn(
    role="administrator",
    title="Administrator",
    user="sam",
    password="brass-keyring-sam",  # noqa: S106 - as above
    person=SAM_WHITFIELD,
    name="Sam Whitfield",
    note="looks after the platform, sees no charts",
)


def sign_ins() -> tuple[SignIn, ...]:
    return (_MARIA, _ANA, _TOM, _GRACE, _SAM)
