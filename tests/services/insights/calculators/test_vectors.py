"""Each published score agrees with independent programs on all of their vectors."""

import pytest
from oracles import clincalc, rows, score

from polyclinic.services.insights.domain.calculators import OutOfRange, Scored
from polyclinic.services.insights.domain.calculators.formulas import prevent

# Three printed decimals, and the float that stands for them.
PRINTED = 0.0005 + 1e-9


def truth(text):
    return text == "TRUE"


def prevent_inputs(row):
    found = {
        "age": float(row["age"]),
        "sex": row["sex"],
        "sbp": float(row["sbp"]),
        "bp_treatment": truth(row["bp_tx"]),
        "total_cholesterol": float(row["total_c"]),
        "hdl": float(row["hdl_c"]),
        "statin": truth(row["statin"]),
        "diabetes": truth(row["dm"]),
        "smoking": truth(row["smoking"]),
        "egfr": float(row["egfr"]),
        "bmi": float(row["bmi"]),
    }
    for ours, theirs in (("hba1c", "hba1c"), ("uacr", "uacr"), ("sdi", "sdi_decile")):
        if row[theirs] not in ("", "NA") and row["model"] in (ours, "full"):
            found[ours] = float(row[theirs])
    return found


def test_all_3820_outputs_of_prevent_agree():
    checked = 0
    for row in rows("prevent_vectors.csv"):
        risks = prevent.risks(prevent_inputs(row), row["model"], int(row["over_years"]))
        for endpoint in prevent.ENDPOINTS:
            assert abs(risks[endpoint] - float(row[endpoint])) <= PRINTED, (row, endpoint)
            checked += 1
    assert checked == 3820


def test_prevent_through_the_registry_chooses_the_model_by_what_is_known():
    checked = 0
    for row in rows("prevent_vectors.csv"):
        inputs, years = prevent_inputs(row), row["over_years"]
        is_asked = prevent.model_for(inputs) == row["model"]
        if not is_asked or (years == "30" and inputs["age"] > prevent.THIRTY_YEARS_AGE_MAX):
            continue
        scored = score("prevent", **inputs)
        assert isinstance(scored, Scored), scored
        for endpoint in prevent.ENDPOINTS:
            value = scored.value(f"{endpoint}_{years}y")
            assert abs(value.exact / 100 - float(row[endpoint])) <= PRINTED
            checked += 1
    assert checked > 2500


def test_the_pooled_cohort_equations_agree():
    found = rows("pce_vectors.csv")
    for row in found:
        scored = score(
            "pooled-cohort",
            age=row["age"],
            sex=row["sex"],
            race=row["race_eth"].lower(),
            sbp=row["sbp"],
            bp_treatment=truth(row["bp_tx"]),
            total_cholesterol=row["total_c"],
            hdl=row["hdl_c"],
            diabetes=truth(row["dm"]),
            smoking=truth(row["smoking"]),
        )
        name = "ascvd_10y" if row["model"] == "pce_orig" else "ascvd_10y_revised"
        assert abs(scored.value(name).exact / 100 - float(row["ascvd_10y"])) <= PRINTED, row
        assert scored.action is None
    assert len(found) == 110


@pytest.mark.parametrize("form", [4, 6, 8])
def test_the_kidney_failure_equations_agree(form):
    found = rows("kfre_vectors.csv")
    own = {
        4: {},
        6: {"diabetes": "dm", "hypertension": "htn"},
        8: {
            "albumin": "albumin_g_dl",
            "phosphate": "phosphorus_mg_dl",
            "bicarbonate": "bicarbonate_mmol_l",
            "calcium": "calcium_mg_dl",
        },
    }[form]
    for row in found:
        more = {ours: row[theirs] for ours, theirs in own.items()}
        if form == 6:
            more = {ours: value == "1" for ours, value in more.items()}
        scored = score(
            f"kidney-failure-{form}",
            age=row["age"],
            sex="male" if row["male"] == "1" else "female",
            egfr=row["egfr"],
            uacr=row["uacr_mg_g"],
            region="north-america" if row["north_american"] == "True" else "elsewhere",
            **more,
        )
        exact = scored.value(f"risk_{row['years']}y").exact / 100
        assert exact == pytest.approx(float(row[f"kfre{form}_pypi"]), abs=1e-12), row
    assert len(found) == 160


def own(inputs, renamed, drop=()):
    return {renamed.get(key, key): value for key, value in inputs.items() if key not in drop}


def test_egfr_agrees():
    for inputs, output in clincalc("egfr"):
        assert inputs["creatinine_unit"] == "mg/dL"
        scored = score("ckd-epi-2021", **own(inputs, {}, ("creatinine_unit",)))
        assert scored.value("egfr").number == output["result"]
        assert scored.band.name == output["working"]["ckd_g_stage"]


AF = {
    "congestive_heart_failure": "heart_failure",
    "stroke_tia_thromboembolism": "stroke",
}


@pytest.mark.parametrize("name", ["cha2ds2vasc", "cha2ds2_va"])
def test_the_stroke_scores_agree(name):
    ours = {"cha2ds2vasc": "cha2ds2-vasc", "cha2ds2_va": "cha2ds2-va"}[name]
    for inputs, output in clincalc(name):
        assert score(ours, **own(inputs, AF)).value("score").number == output["result"]


def test_has_bled_agrees():
    for inputs, output in clincalc("hasbled"):
        scored = score(
            "has-bled",
            sbp=170 if inputs["hypertension_uncontrolled"] else 130,
            creatinine=2.5 if inputs["abnormal_renal_function"] else 1.0,
            renal_replacement=False,
            liver_disease=inputs["abnormal_liver_function"],
            stroke=inputs["stroke"],
            bleeding=inputs["bleeding_history"],
            labile_inr=inputs["labile_inr"],
            age=70 if inputs["elderly_over_65"] else 60,
            antiplatelet_or_nsaid=inputs["drugs_antiplatelet_nsaid"],
            alcohol=inputs["alcohol_excess"],
        )
        assert scored.value("score").number == output["result"]
        assert scored.band.name == output["working"]["risk"]


def test_news2_agrees_on_both_saturation_scales():
    for inputs, output in clincalc("news2"):
        scored = score(
            "news2",
            respiratory_rate=inputs["respiratory_rate"],
            spo2=inputs["spo2"],
            oxygen_flow=2 if inputs["on_oxygen"] else 0,
            sbp=inputs["systolic_bp"],
            heart_rate=inputs["pulse"],
            consciousness="alert" if inputs["consciousness"] == "alert" else "confused",
            temperature=inputs["temperature"],
            scale_2=inputs.get("spo2_scale") == "2",
        )
        assert scored.value("score").number == output["result"]
        assert scored.band.name == output["working"]["band"]


def test_qsofa_agrees():
    for inputs, output in clincalc("qsofa"):
        scored = score(
            "qsofa",
            respiratory_rate=inputs["respiratory_rate"],
            sbp=inputs["systolic_bp"],
            consciousness="voice" if inputs["altered_mentation"] else "alert",
        )
        assert scored.value("score").number == output["result"]


def test_curb_65_agrees():
    for inputs, output in clincalc("curb65"):
        scored = score(
            "curb-65",
            **own(inputs, {"systolic_bp": "sbp", "diastolic_bp": "dbp", "urea_mmol_l": "urea"}),
        )
        assert scored.value("score").number == output["result"]
        assert scored.band.name == output["working"]["risk_band"]


def test_meld_3_agrees_before_and_after_rounding():
    for inputs, output in clincalc("meld_3"):
        scored = score(
            "meld-3",
            age=inputs["registration_age_years"],
            sex="female" if inputs["female_for_adult_meld"] else "male",
            bilirubin=inputs["bilirubin"],
            sodium=inputs["sodium_mmol_l"],
            inr=inputs["inr"],
            creatinine=inputs["creatinine"],
            albumin=inputs["albumin"],
            dialysis=inputs["qualifying_dialysis_in_prior_7_days"],
        )
        assert scored.value("score").number == output["result"]
        raw = min(max(output["working"]["raw_policy_score"], 6), 40)
        assert scored.value("score").exact == pytest.approx(raw, abs=1e-9)


def test_child_pugh_agrees():
    grades = {"none": "none", "mild": "mild", "moderate-severe": "severe"}
    for inputs, output in clincalc("child_pugh"):
        scored = score(
            "child-pugh",
            bilirubin=inputs["bilirubin"],
            albumin=inputs["albumin"],
            inr=inputs["inr"],
            ascites=grades[inputs["ascites"]],
            encephalopathy=inputs["encephalopathy"],
        )
        assert scored.value("score").number == output["result"]
        assert scored.band.name == output["working"]["class"]


def test_fib_4_agrees():
    for inputs, output in clincalc("fib4"):
        scored = score("fib-4", **inputs)
        assert scored.value("index").number == output["result"]
        assert scored.band.name == output["working"]["risk"]


@pytest.mark.parametrize(("theirs", "ours"), [("phq9", "phq-9"), ("gad7", "gad-7")])
def test_the_questionnaires_agree(theirs, ours):
    for inputs, output in clincalc(theirs):
        items = {f"item{n}": answer for n, answer in enumerate(inputs["responses"], 1)}
        scored = score(ours, **items)
        assert scored.value("score").number == output["result"]
        assert scored.band.name == output["working"]["severity"]
        assert bool(scored.safety) is output["working"].get("self_harm_item_flag", False)


def test_audit_c_agrees():
    for inputs, output in clincalc("auditc"):
        items = dict(zip(("often", "drinks", "six_or_more"), inputs["responses"], strict=True))
        scored = score("audit-c", sex=inputs["sex"], **items)
        assert scored.value("score").number == output["result"]
        assert (scored.band.name == "positive") is output["working"]["screen_positive"]


def test_findrisc_agrees():
    renamed = {
        "waist_cm": "waist",
        "physically_active": "active",
        "daily_vegetables_fruit": "vegetables_daily",
        "antihypertensive_medication": "bp_treatment",
        "high_blood_glucose_history": "high_glucose",
        "family_history": "family_diabetes",
    }
    for inputs, output in clincalc("findrisc"):
        values = own(inputs, renamed)
        values["family_diabetes"] = values["family_diabetes"].replace("_", "-")
        assert score("findrisc", **values).value("score").number == output["result"]


CHARLSON = {
    "congestive_heart_failure": "heart_failure",
    "peripheral_vascular_disease": "peripheral_vascular",
    "cerebrovascular_disease": "cerebrovascular",
    "copd": "chronic_pulmonary",
    "connective_tissue_disease": "connective_tissue",
    "peptic_ulcer_disease": "peptic_ulcer",
    "mild_liver_disease": "mild_liver",
    "hemiplegia_paraplegia": "hemiplegia",
    "renal_disease_moderate_severe": "renal_disease",
    "solid_tumour_non_metastatic": "solid_tumour",
    "liver_disease_moderate_severe": "severe_liver",
    "metastatic_solid_tumour": "metastatic_tumour",
}


def test_charlson_agrees_with_and_without_age():
    for inputs, output in clincalc("charlson"):
        scored = score("charlson", **own(inputs, CHARLSON, ("include_age_adjustment",)))
        name = "index_with_age" if inputs["include_age_adjustment"] else "index"
        assert scored.value(name).number == output["result"], inputs


def test_wells_for_thrombosis_agrees():
    renamed = {
        "paralysis_paresis_immobilisation": "paralysis_or_cast",
        "bedridden_or_major_surgery": "bedridden_or_surgery",
        "localised_tenderness": "tenderness",
        "entire_leg_swollen": "leg_swollen",
        "calf_swelling_over_3cm": "calf_swelling",
        "collateral_superficial_veins": "collateral_veins",
        "previously_documented_dvt": "previous_dvt",
        "alternative_diagnosis_as_likely": "alternative_likely",
    }
    for inputs, output in clincalc("wells_dvt"):
        scored = score("wells-dvt", **own(inputs, renamed))
        assert scored.value("score").number == output["result"]
        assert scored.band.name == output["working"]["probability"]


def test_wells_for_embolism_agrees():
    renamed = {
        "clinical_signs_of_dvt": "signs_of_dvt",
        "pe_most_likely_diagnosis": "pe_most_likely",
        "immobilisation_or_surgery": "immobilised_or_surgery",
        "previous_dvt_or_pe": "previous_vte",
        "malignancy": "active_cancer",
    }
    for inputs, output in clincalc("wells_pe"):
        values = own(inputs, renamed, ("heart_rate_over_100",))
        values["heart_rate"] = 101 if inputs["heart_rate_over_100"] else 100
        scored = score("wells-pe", **values)
        assert scored.value("score").number == output["result"]
        assert scored.band.name == output["working"]["two_tier"]


def test_perc_agrees_and_refuses_saturations_that_nobody_lives_with():
    renamed = {
        "age_years": "age",
        "heart_rate_bpm": "heart_rate",
        "room_air_oxygen_saturation_percent": "spo2",
        "unilateral_leg_swelling": "leg_swelling",
        "recent_surgery_or_trauma_requiring_hospitalisation": "surgery_or_trauma",
        "prior_vte": "previous_vte",
        "exogenous_oestrogen_use": "oestrogen",
        "low_pretest_probability_confirmed": "low_probability",
    }
    scored_at_all = 0
    for inputs, output in clincalc("perc"):
        answered = score("perc", **own(inputs, renamed))
        if inputs["room_air_oxygen_saturation_percent"] < 30:
            assert isinstance(answered, OutOfRange)
            assert answered.impossible
            continue
        scored_at_all += 1
        assert answered.value("score").number == output["working"]["positive_count"]
        assert f"perc-{answered.band.name}" == output["result"]
    assert scored_at_all >= 15


def test_body_mass_index_agrees():
    words = {
        "underweight": "underweight",
        "healthy": "healthy weight",
        "overweight": "overweight",
        "obese-1": "obesity class I",
        "obese-2": "obesity class II",
        "obese-3": "obesity class III",
    }
    for inputs, output in clincalc("bmi"):
        scored = score(
            "body-mass-index", **own(inputs, {"height_cm": "height", "weight_kg": "weight"})
        )
        assert scored.value("bmi").number == output["result"]
        assert words[scored.band.name] == output["working"]["category"]
