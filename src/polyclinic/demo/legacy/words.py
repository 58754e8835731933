"""The words that Harbor Street's made-up people, illnesses and medicines are put together from."""


def _each(words: str, between: str = " ") -> list[str]:
    return words.split(between)


FAMILIES = _each(
    "Abbott Alvarez Bauer Becker Brooks Carver Castillo Chen Cole Cruz Dalton Diaz Doyle Evans "
    "Farrow Fields Flynn Garza Gibson Grant Greer Hale Hansen Hayes Holt Ibarra Iverson Jansen "
    "Jordan Kaplan Keane Kim Klein Lang Lopez Lowe Lund Marsh Mason Mendez Meyer Moreno Moss "
    "Nash Nguyen Nolan Novak Ochoa Olsen Ortiz Park Patel Perez Pierce Quinn Ramos Reyes Rhodes "
    "Rowe Ruiz Sawyer Shah Silva Stone Tanaka Torres Tran Vance Vega Wade Walsh Weber West "
    "Young Zamora"
)
WOMEN = _each(
    "Ada Alma Beth Carla Clara Dana Diane Edith Ella Emma Fay Gina Grace Hanna Ida Irene Ivy "
    "Jane Jo Julia Kate Lena Lily Lucia Mae Maria Mia Nina Nora Olga Paula Rosa Ruth Sara Tess "
    "Vera"
)
MEN = _each(
    "Aaron Adam Alan Ben Boris Carl Chris Dan David Eli Eric Felix Frank Gary George Hugo Ian "
    "Ivan Jack James Karl Kevin Leo Luis Mark Max Neil Noah Omar Otto Paul Peter Ralph Sam Theo "
    "Victor"
)
STREETS = _each(
    "Harbor St, Quay Ln, Mill Rd, Oak Ave, Pine St, Elm Ct, Beacon Rd, Lighthouse Way", ", "
)
TOWNS = (("Port Ellis", "ME", "04990"), ("Graywater", "ME", "04991"), ("Tern Bay", "ME", "04992"))
LANGUAGES = ("EN", "EN", "EN", "EN", "ES", "VI", "PT")

SITES = (
    ("MAIN", "Harbor Street Main", "12 Harbor St", "(207) 555-0100"),
    ("QUAY", "Quayside Annex", "3 Quay Ln", "(207) 555-0140"),
    ("TERN", "Tern Bay Clinic", "88 Beacon Rd", "(207) 555-0180"),
)
PROVIDERS = (
    ("DRKIM", "Kim", "Susan", "Family Medicine", "MAIN"),
    ("DROBI", "Obi", "Daniel", "Internal Medicine", "MAIN"),
    ("DRLUND", "Lund", "Erik", "Pediatrics", "QUAY"),
    ("DRVEGA", "Vega", "Marta", "Cardiology", "QUAY"),
    ("NPSHAH", "Shah", "Priya", "Family Medicine", "TERN"),
    ("PAROWE", "Rowe", "Colin", "Urgent Care", "TERN"),
)
# Login, name, role, the code of a provider who has one.
USERS = (
    ("skim", "Susan Kim", "md", "DRKIM"),
    ("dobi", "Daniel Obi", "md", "DROBI"),
    ("elund", "Erik Lund", "md", "DRLUND"),
    ("mvega", "Marta Vega", "md", "DRVEGA"),
    ("pshah", "Priya Shah", "md", "NPSHAH"),
    ("crowe", "Colin Rowe", "md", "PAROWE"),
    ("jfront", "Jo Front", "frontdesk", None),
    ("tdesk", "Tess Desk", "frontdesk", None),
    ("nnora", "Nora Nash", "nurse", None),
    ("nivan", "Ivan Stone", "nurse", None),
    ("bbill", "Beth Bills", "biller", None),
    ("root", "Gary Root", "admin", None),
)
REASONS = _each(
    "Annual exam, Follow up, Cough, Back pain, BP check, Diabetes check, Rash, Refill, Sore "
    "throat, Knee pain, Well child, Headache",
    ", ",
)
COMPLAINTS = (
    "doing well",
    "worse at night",
    "for three days",
    "since last visit",
    "comes and goes",
)

# Substance, RxNorm or local code, reactions.
ALLERGENS = (
    ("Penicillin", "Hives"),
    ("Sulfa", "Rash"),
    ("Aspirin", "Wheezing"),
    ("Peanut", "Anaphylaxis"),
    ("Latex", "Contact dermatitis"),
    ("Codeine", "Nausea"),
    ("Shellfish", "Swelling"),
    ("Bee sting", "Anaphylaxis"),
)
SEVERITIES = ("MILD", "MODERATE", "SEVERE")
PROBLEMS = (
    ("I10", "Essential hypertension"),
    ("E11.9", "Type 2 diabetes"),
    ("E78.5", "High cholesterol"),
    ("J45.909", "Asthma"),
    ("M54.50", "Low back pain"),
    ("F41.1", "Generalized anxiety"),
    ("K21.9", "Reflux"),
    ("E03.9", "Hypothyroidism"),
    ("N18.30", "Chronic kidney disease stage 3"),
    ("G43.909", "Migraine"),
)
# Drug, RxNorm, dose, unit, how often, route.
DRUGS = (
    ("Lisinopril", "314076", "10", "mg", "QD", "PO"),
    ("Metformin", "861007", "500", "mg", "BID", "PO"),
    ("Atorvastatin", "617310", "20", "mg", "QHS", "PO"),
    ("Albuterol", "745679", "90", "mcg", "PRN", "INH"),
    ("Levothyroxine", "892246", "50", "mcg", "QD", "PO"),
    ("Omeprazole", "198051", "20", "mg", "QD", "PO"),
    ("Sertraline", "312940", "50", "mg", "QD", "PO"),
    ("Warfarin", "855332", "5", "mg", "QD", "PO"),
    ("Insulin glargine", "311041", "20", "units", "QHS", "SC"),
)
# Code, LOINC, units, lowest and highest normal, decimals, usual spread.
TESTS = (
    ("GLU", "2345-7", "mg/dL", 70.0, 99.0, 0, (65.0, 190.0)),
    ("CREA", "2160-0", "mg/dL", 0.6, 1.3, 2, (0.5, 2.4)),
    ("K", "2823-3", "mmol/L", 3.5, 5.1, 1, (3.1, 5.9)),
    ("HGB", "718-7", "g/dL", 12.0, 16.0, 1, (9.0, 17.5)),
    ("A1C", "4548-4", "%", 4.0, 5.6, 1, (4.6, 10.5)),
    ("TSH", "3016-3", "uIU/mL", 0.4, 4.0, 2, (0.1, 8.0)),
    ("LDL", "13457-7", "mg/dL", 0.0, 100.0, 0, (45.0, 210.0)),
)
PAYERS = ("Northeast Mutual", "Harbor Health Plan", "Medicare", "MaineCare", "Coastal PPO")
# The clinic's own codes and prices; nobody's licensed set.
SERVICES = (
    ("HS100", "Office visit, short", 85.00),
    ("HS110", "Office visit, long", 142.50),
    ("HS210", "Blood draw", 18.00),
    ("HS310", "ECG", 61.25),
    ("HS410", "Vaccine given", 34.40),
    ("HS510", "Wound care", 96.75),
)
PAID_BY = ("CASH", "CHECK", "CARD", "INS")
