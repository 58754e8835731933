"""The formulas by the name that a registry file gives; each is pure, of inputs in its own units."""

from collections.abc import Mapping

from polyclinic.services.insights.domain.calculators.formulas import (
    acute,
    body,
    clots,
    comorbidity,
    heart_rhythm,
    liver,
    pooled_cohort,
    prevent,
    questionnaires,
    renal,
)
from polyclinic.services.insights.domain.calculators.values import Formula

FORMULAS: Mapping[str, Formula] = {
    "ckd_epi_2021_creatinine": renal.ckd_epi_2021_creatinine,
    "ckd_epi_2021_creatinine_cystatin": renal.ckd_epi_2021_creatinine_cystatin,
    "kidney_failure_4": renal.kidney_failure_4,
    "kidney_failure_6": renal.kidney_failure_6,
    "kidney_failure_8": renal.kidney_failure_8,
    "prevent": prevent.prevent,
    "pooled_cohort": pooled_cohort.pooled_cohort,
    "cha2ds2_va": heart_rhythm.cha2ds2_va,
    "cha2ds2_vasc": heart_rhythm.cha2ds2_vasc,
    "has_bled": heart_rhythm.has_bled,
    "news2": acute.news2,
    "qsofa": acute.qsofa,
    "curb_65": acute.curb_65,
    "meld_3": liver.meld_3,
    "child_pugh": liver.child_pugh,
    "fib_4": liver.fib_4,
    "body_mass_index": body.body_mass_index,
    "findrisc": body.findrisc,
    "charlson": comorbidity.charlson,
    "lace": comorbidity.lace,
    "wells_dvt": clots.wells_dvt,
    "wells_pe": clots.wells_pe,
    "perc": clots.perc,
    "phq_9": questionnaires.phq_9,
    "gad_7": questionnaires.gad_7,
    "audit_c": questionnaires.audit_c,
}
