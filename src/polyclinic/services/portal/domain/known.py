"""Tests by LOINC code: a plain name, a short name, a panel, decimals and the usual adult range.

A laboratory's own reference range always wins. These ranges are only for adults, only in exactly
this unit, and are shown as "usual adult range". Sources, read as general adult values:
[M] MedlinePlus (US National Library of Medicine), pages "Comprehensive metabolic panel" and
"CBC blood test"; [A] American Diabetes Association, Standards of Care (HbA1c below 5.7 %);
[N] NHLBI/MedlinePlus, "Cholesterol levels"; [K] KDIGO 2012 (eGFR); [V] MedlinePlus "Vital signs"
and AHA 2017 (blood pressure); [C] CDC, adult BMI.
"""

from dataclasses import dataclass

SUGAR, KIDNEY, COUNT, LIPIDS, LIVER, VITALS, OTHER = (
    "Blood sugar",
    "Kidneys and salts",
    "Blood count",
    "Cholesterol",
    "Liver and proteins",
    "Vital signs",
    "Other tests",
)
PANELS = (SUGAR, KIDNEY, LIPIDS, COUNT, LIVER, OTHER, VITALS)

Bounds = tuple[float | None, float | None]


@dataclass(frozen=True, slots=True)
class Known:
    """What we know about a test without its laboratory."""

    plain: str
    short: str
    panel: str
    decimals: int
    unit: str = ""
    usual: Bounds | None = None
    usual_by_sex: tuple[Bounds, Bounds] | None = None  # women, men

    def bounds(self, sex: str) -> Bounds | None:
        """The usual range for a sex; unknown where it differs by sex and the sex is not known."""
        if self.usual_by_sex is None:
            return self.usual
        return {"female": self.usual_by_sex[0], "male": self.usual_by_sex[1]}.get(sex)


_GLUCOSE = Known("Blood sugar (glucose)", "Glucose", SUGAR, 0, "mg/dL", (70, 100))
_LDL = Known("LDL cholesterol", "LDL cholesterol", LIPIDS, 0, "mg/dL", (None, 100))
_EGFR = Known("Kidney filtering (eGFR)", "eGFR", KIDNEY, 0, "mL/min/{1.73_m2}", (60, None))
_CREATININE = Known("Creatinine (kidneys)", "Creatinine", KIDNEY, 2, "mg/dL", (0.6, 1.3))
_UREA = Known("Urea nitrogen (kidneys)", "Urea nitrogen", KIDNEY, 0, "mg/dL", (6, 20))
_SODIUM = Known("Sodium", "Sodium", KIDNEY, 0, "mmol/L", (135, 145))
_POTASSIUM = Known("Potassium", "Potassium", KIDNEY, 1, "mmol/L", (3.7, 5.2))
_CHLORIDE = Known("Chloride", "Chloride", KIDNEY, 0, "mmol/L", (96, 106))
_CO2 = Known("Bicarbonate (CO2)", "CO2", KIDNEY, 0, "mmol/L", (23, 29))
_CALCIUM = Known("Calcium", "Calcium", KIDNEY, 1, "mg/dL", (8.5, 10.2))
_BILIRUBIN = Known("Bilirubin (liver)", "Bilirubin, total", LIVER, 1, "mg/dL", (0.1, 1.2))
_BMI = Known("Body mass index", "BMI", VITALS, 1, "kg/m2", (18.5, 24.9))
_SPO2 = Known("Oxygen in the blood", "SpO2", VITALS, 0, "%", (95, 100))
_HEMATOCRIT = Known("Hematocrit", "Hematocrit", COUNT, 1, "%", None, ((36.1, 44.3), (40.7, 50.3)))

KNOWN: dict[str, Known] = {
    "4548-4": Known("Average blood sugar (HbA1c)", "HbA1c", SUGAR, 1, "%", (None, 5.6)),  # [A]
    "2339-0": _GLUCOSE,  # [M]
    "2345-7": _GLUCOSE,
    "38483-4": _CREATININE,  # [M]
    "2160-0": _CREATININE,
    "33914-3": _EGFR,  # [K]
    "6299-2": _UREA,  # [M]
    "3094-0": _UREA,
    "2947-0": _SODIUM,  # [M]
    "2951-2": _SODIUM,
    "6298-4": _POTASSIUM,  # [M]
    "2823-3": _POTASSIUM,
    "2069-3": _CHLORIDE,  # [M]
    "2075-0": _CHLORIDE,
    "20565-8": _CO2,  # [M]
    "2028-9": _CO2,
    "49765-1": _CALCIUM,  # [M]
    "17861-6": _CALCIUM,
    "14959-1": Known("Albumin in urine (per creatinine)", "Urine ACR", KIDNEY, 1),
    "2093-3": Known("Total cholesterol", "Cholesterol", LIPIDS, 0, "mg/dL", (None, 200)),  # [N]
    "2571-8": Known("Triglycerides", "Triglycerides", LIPIDS, 0, "mg/dL", (None, 150)),  # [N]
    "18262-6": _LDL,  # [N]
    "13457-7": _LDL,
    "2085-9": Known(  # [N]
        "HDL cholesterol", "HDL cholesterol", LIPIDS, 0, "mg/dL", None, ((50, None), (40, None))
    ),
    "718-7": Known(  # [M]
        "Hemoglobin", "Hemoglobin", COUNT, 1, "g/dL", None, ((12.1, 15.1), (13.8, 17.2))
    ),
    "4544-3": _HEMATOCRIT,  # [M]
    "20570-8": _HEMATOCRIT,
    "6690-2": Known("White blood cells", "WBC", COUNT, 1, "10*3/uL", (4.5, 10.0)),  # [M]
    "789-8": Known(  # [M]
        "Red blood cells", "RBC", COUNT, 2, "10*6/uL", None, ((4.2, 5.4), (4.7, 6.1))
    ),
    "777-3": Known("Platelets", "Platelets", COUNT, 0, "10*3/uL", (150, 450)),  # [M]
    "787-2": Known("Size of red cells (MCV)", "MCV", COUNT, 1, "fL", (80, 95)),  # [M]
    "785-6": Known("Hemoglobin per red cell (MCH)", "MCH", COUNT, 1, "pg", (27.5, 33.2)),  # [M]
    "786-4": Known(  # [M]
        "Hemoglobin in red cells (MCHC)", "MCHC", COUNT, 1, "g/dL", (33.4, 35.5)
    ),
    "788-0": Known("Spread of red cell sizes (RDW)", "RDW", COUNT, 1),
    "21000-5": Known("Spread of red cell sizes (RDW)", "RDW-SD", COUNT, 1),
    "32207-3": Known("Spread of platelet sizes", "PDW", COUNT, 1),
    "32623-1": Known("Size of platelets (MPV)", "MPV", COUNT, 1),
    "2885-2": Known("Protein", "Protein, total", LIVER, 1, "g/dL", (6.0, 8.3)),  # [M]
    "1751-7": Known("Albumin", "Albumin", LIVER, 1, "g/dL", (3.4, 5.4)),  # [M]
    "10834-0": Known("Globulin", "Globulin", LIVER, 1),
    "1975-2": _BILIRUBIN,  # [M]
    "6768-6": Known("Alkaline phosphatase (liver)", "ALP", LIVER, 0, "U/L", (20, 130)),  # [M]
    "1742-6": Known("ALT (liver)", "ALT", LIVER, 0, "U/L", (4, 36)),  # [M]
    "1920-8": Known("AST (liver)", "AST", LIVER, 0, "U/L", (8, 33)),  # [M]
    "8867-4": Known("Heart rate", "Heart rate", VITALS, 0, "/min", (60, 100)),  # [V]
    "9279-1": Known("Breaths a minute", "Respiratory rate", VITALS, 0, "/min", (12, 18)),  # [V]
    "8310-5": Known("Temperature", "Temperature", VITALS, 1, "Cel", (36.1, 37.2)),  # [V]
    "2708-6": _SPO2,  # [M]
    "59408-5": _SPO2,
    "39156-5": _BMI,  # [C]
    "29463-7": Known("Weight", "Weight", VITALS, 1),
    "8302-2": Known("Height", "Height", VITALS, 1),
    "72514-3": Known("Pain (0 to 10)", "Pain score", VITALS, 0),
    "8480-6": Known("Upper blood pressure", "Systolic BP", VITALS, 0, "mm[Hg]", (90, 120)),
    "8462-4": Known("Lower blood pressure", "Diastolic BP", VITALS, 0, "mm[Hg]", (60, 80)),  # [V]
}

PRESSURE = frozenset({"85354-9", "55284-4"})
SYSTOLIC, DIASTOLIC = "8480-6", "8462-4"

# Questions asked under the category "laboratory" by PRAPARE and similar forms: not test results.
QUESTIONS = frozenset(
    [
        "56051-6",
        "32624-9",
        "54899-0",
        "63512-8",
        "71802-3",
        "56799-0",
        "82589-3",
        "67875-5",
        "76437-3",
        "63586-2",
        "76501-6",
        "72166-2",
        "93025-5",
        "93026-3",
        "93027-1",
        "93028-9",
        "93029-7",
        "93030-5",
        "93031-3",
        "93032-1",
        "93033-9",
        "93034-7",
        "93035-4",
        "93038-8",
    ]
)

# UCUM codes as people write them.
UNITS = {
    "mm[Hg]": "mmHg",
    "10*3/uL": "×10³/µL",
    "10*6/uL": "×10⁶/µL",
    "mL/min/{1.73_m2}": "mL/min/1.73 m²",
    "Cel": "°C",
    "kg/m2": "kg/m²",
    "[degF]": "°F",
    "uL": "µL",
    "{score}": "",
    "{#}": "",
}
