"""Claims, remittances and files that the tests of X12 begin with; everything in them is made up."""

from datetime import UTC, date, datetime
from decimal import Decimal

from polyclinic.standards.x12.acknowledge import ClaimAnswer, ClaimReport, ClaimStatus
from polyclinic.standards.x12.envelope import Envelope, Party
from polyclinic.standards.x12.professional_claim import (
    Address,
    Adjustment,
    BillingProvider,
    Claim,
    ClaimBatch,
    OtherPayer,
    Patient,
    Payer,
    Receiver,
    RenderingProvider,
    ServiceLine,
    Submitter,
    Subscriber,
    write_claims,
)
from polyclinic.standards.x12.remittance import (
    ClaimPayment,
    Procedure,
    ProviderAdjustment,
    Remittance,
    ServicePayment,
    write_remittances,
)

NPI = "1234567893"
HOME = Address("1 Test Street", "Springfield", "IL", "627011234")
CLINIC = BillingProvider("Sunrise Clinic", NPI, "123456789", HOME, "207Q00000X")
PAYER = Payer("Demo Payer", "DP001")
ANN = Subscriber(
    "Testperson", "Ann", "W123456", date(1980, 1, 2), "F", HOME, "Q", group_number="G1"
)
TIM = Patient("Testperson", "Tim", date(2015, 5, 5), "M", HOME)
# Who is insured is not the one treated: the guide wants neither home nor birth date then.
ANN_NOT_TREATED = Subscriber("Testperson", "Ann", "W123456", middle_name="Q", group_number="G1")
DAY = date(2026, 1, 5)
LINES = (
    ServiceLine("X0001", 10050, DAY, (1, 2), ("25",), control_number="L1"),
    ServiceLine("X0002", 5000, DAY, (2,), units=Decimal("1.5"), service_end=date(2026, 1, 6)),
)
PLAIN = Claim("C-1", 15050, CLINIC, ANN, PAYER, ("E119", "I10"), LINES)
OF_A_CHILD = Claim(
    "C-2", 15050, CLINIC, ANN_NOT_TREATED, PAYER, ("E119", "I10"), LINES, TIM,
    frequency="7", original_reference="ICN1",
    rendering_provider=RenderingProvider("Doctor", "Jo", NPI, "207Q00000X"),
)  # fmt: skip
SECOND_PAYER = Claim(
    "C-3", 15050, CLINIC, ANN, PAYER, ("E119", "I10"), LINES,
    onset_date=date(2025, 12, 1), prior_authorization="PA1", payer_sequence="S",
    other_payers=(
        OtherPayer(
            Payer("Other Payer", "OP1"), "Testperson", "Al", "M1", paid=500,
            paid_on=date(2026, 1, 9),
            adjustments=(Adjustment("CO", "45", 14000), Adjustment("PR", "1", 550, Decimal(1))),
        ),
    ),
)  # fmt: skip
BATCH = ClaimBatch(
    Submitter("Sunrise Clinic", "SUB1", "Billing office", "5551234567"),
    Receiver("Demo Payer", "DP001"),
    "B1",
    (PLAIN, OF_A_CHILD, SECOND_PAYER),
)
AT = datetime(2026, 1, 7, 10, 30, tzinfo=UTC)
TO_PAYER = Envelope(Party("SUB1"), Party("DP001"), AT, 1)
TO_CLINIC = Envelope(Party("DP001"), Party("SUB1"), AT, 1)

FEE = Adjustment("CO", "45", 2000)
PAID_LINE = ServicePayment(
    Procedure("X0001", ("25",)), 10050, 5550, Decimal(1), service_date=DAY, control_number="L1",
    allowed=8050, adjustments=(FEE, Adjustment("PR", "1", 2500)), remarks=("N130",),
)  # fmt: skip
CHANGED_LINE = ServicePayment(
    Procedure("X0003"), 5000, 4000, Decimal("1.5"), Procedure("X0002"), Decimal(2),
    date(2026, 1, 5), date(2026, 1, 6), "L2", adjustments=(Adjustment("CO", "45", 1000),),
)  # fmt: skip
PAID = ClaimPayment(
    "C-1", "1", 15050, 9550, 2500, "12", "ICN1", "11", "1", "Testperson", "Ann", "W123456",
    DAY, date(2026, 1, 6), date(2026, 1, 7), (), (PAID_LINE, CHANGED_LINE), ("MA04",),
)  # fmt: skip
DENIED = ClaimPayment(
    "C-2", "4", 3000, 0, payer_control_number="ICN2", patient_last_name="Testperson",
    patient_first_name="Tim", adjustments=(Adjustment("CO", "29", 3000),),
)  # fmt: skip
TAKEN_BACK = ClaimPayment(
    "C-0", "22", -8000, -6000, payer_control_number="ICN0", patient_last_name="Testperson",
    adjustments=(Adjustment("CO", "45", -2000),),
)  # fmt: skip
REMITTANCE = Remittance(
    "Demo Payer", "1999999999", "Sunrise Clinic", "CHECK1", 3300, "CHK", date(2026, 1, 20),
    (PAID, DENIED, TAKEN_BACK),
    (ProviderAdjustment(NPI, date(2026, 12, 31), "WO", "C-9", 500),
     ProviderAdjustment(NPI, date(2026, 12, 31), "L6", "", -250)),
    date(2026, 1, 19), NPI, "123456789",
    ("2 Payer Street", "Springfield", "IL", "62701"), "Help desk", "5559876543",
)  # fmt: skip

REPORT = ClaimReport(
    "Demo Payer", "DP001", "Sunrise Clinic", "SUB1", "R1", "B1", date(2026, 1, 7),
    date(2026, 1, 7),
    (
        ClaimAnswer("C-1", True, (ClaimStatus("A2", "20"),), 15050, date(2026, 1, 7), "Testperson",
                    "Ann", "W123456", DAY, "Sunrise Clinic", NPI, date(2026, 1, 6), "ICN1"),
        ClaimAnswer("C-2", False, (ClaimStatus("A7", "562", "82"), ClaimStatus("A6", "158")), 15050,
                    date(2026, 1, 7), "Testperson", "Tim", "W123456", DAY, "Sunrise Clinic", NPI,
                    message="The NPI is not known here"),
    ),
)  # fmt: skip


def claims_file() -> bytes:
    return write_claims(TO_PAYER, BATCH)


def remittance_file() -> bytes:
    return write_remittances(TO_CLINIC, [REMITTANCE])


def recounted(data):
    """The same with an SE01 that agrees, so that the fault itself must be found."""
    pieces = data.split(b"~")
    start = next(place for place, piece in enumerate(pieces) if piece.startswith(b"ST*"))
    end = next(place for place, piece in enumerate(pieces) if piece.startswith(b"SE*"))
    pieces[end] = b"*".join((b"SE", b"%d" % (end - start + 1), pieces[end].split(b"*")[2]))
    return b"~".join(pieces)
