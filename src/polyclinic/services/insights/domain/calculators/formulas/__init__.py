"""The formulas by the name that a registry file gives; each is pure, of inputs in its own units."""

from collections.abc import Mapping

from polyclinic.services.insights.domain.calculators.formulas import renal
from polyclinic.services.insights.domain.calculators.values import Formula

FORMULAS: Mapping[str, Formula] = {
    "ckd_epi_2021_creatinine": renal.ckd_epi_2021_creatinine,
    "ckd_epi_2021_creatinine_cystatin": renal.ckd_epi_2021_creatinine_cystatin,
}
