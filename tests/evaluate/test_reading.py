"""Public data sets read: only what was known then becomes a feature, and nobody is dropped."""

import csv
import gzip
import io
import subprocess
import sys
import zipfile
from datetime import timedelta

import numpy as np
import pytest

pytest.importorskip("interpret", reason="the extra `insights` is not installed")
from evaluate.diagnoses import GROUPS, chapter, is_in
from evaluate.study import Absent
from evaluate.survival import follow

from evaluate import framingham, nafld, noshow, readmission

VISIT = {
    "PatientId": "1", "AppointmentID": "10", "Gender": "F", "ScheduledDay": "2016-04-01T08:00:00Z",
    "AppointmentDay": "2016-05-02T00:00:00Z", "Age": "40", "Neighbourhood": "X",
    "Scholarship": "0", "Hipertension": "0", "Diabetes": "0", "Alcoholism": "0", "Handcap": "0",
    "SMS_received": "0", "No-show": "No",
}  # fmt: skip


def zipped(path, member, rows):
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr(member, text.getvalue())
    return path


def gzipped(path, rows):
    with gzip.open(path, "wt", encoding="utf-8", newline="") as opened:
        writer = csv.DictWriter(opened, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def visit(number, day, missed="No", booked="2016-04-01T08:00:00Z", **changed):
    return VISIT | {
        "AppointmentID": str(number), "AppointmentDay": f"{day}T00:00:00Z", "No-show": missed,
        "ScheduledDay": booked, **changed,
    }  # fmt: skip


def test_of_visits_only_earlier_days_count_as_history(tmp_path):
    rows = [visit(1, "2016-05-02", "Yes"), visit(2, "2016-05-03"), visit(3, "2016-05-03", "Yes"),
            visit(4, "2016-05-09")]  # fmt: skip
    cases, _ = noshow.read(zipped(tmp_path / "a.zip", "a.csv", rows))
    assert cases.columns["missed.count"].tolist() == [0, 1, 1, 2]
    assert cases.columns["past.count"].tolist() == [0, 1, 1, 3]
    assert np.isnan(cases.columns["missed.share"][0])
    assert cases.columns["same_day"].tolist() == [1, 2, 2, 1]


def test_what_comes_later_changes_no_feature_of_a_visit_before(tmp_path):
    rows = [visit(1, "2016-05-02"), visit(2, "2016-05-04", "Yes")]
    later = [visit(3, "2016-05-04", "Yes", "2016-05-04T09:00:00Z"), visit(4, "2016-05-20", "Yes")]
    before, _ = noshow.read(zipped(tmp_path / "a.zip", "a.csv", rows))
    after, _ = noshow.read(zipped(tmp_path / "b.zip", "b.csv", rows + later))
    for name, column in before.columns.items():
        kept = after.columns[name][:2]
        both_unknown = [a != a and b != b for a, b in zip(column, kept, strict=True)]
        assert all(a == b or u for a, b, u in zip(column, kept, both_unknown, strict=True)), name


def test_impossible_leads_and_ages_are_left_out(tmp_path):
    rows = [visit(1, "2016-05-02"), visit(2, "2016-03-02"), visit(3, "2016-05-02", Age="-1")]
    cases, lead = noshow.read(zipped(tmp_path / "a.zip", "a.csv", rows))
    assert lead.tolist() == [31]
    assert len(cases) == 1


STAY = {
    "encounter_id": "1", "patient_nbr": "7", "race": "Asian", "gender": "Female",
    "age": "[70-80)", "admission_type_id": "1", "discharge_disposition_id": "1",
    "admission_source_id": "7", "time_in_hospital": "3", "payer_code": "?",
    "medical_specialty": "?", "num_lab_procedures": "4", "num_procedures": "0",
    "num_medications": "9", "number_outpatient": "0", "number_emergency": "1",
    "number_inpatient": "2", "diag_1": "428", "diag_2": "250.83", "diag_3": "V45",
    "number_diagnoses": "3", "A1Cresult": ">8", "metformin": "No", "insulin": "Up",
    "change": "Ch", "diabetesMed": "Yes", "readmitted": "NO",
}  # fmt: skip


def test_a_stay_knows_of_earlier_stays_and_not_of_its_own_return(tmp_path):
    died = {"encounter_id": "2", "readmitted": ">30", "discharge_disposition_id": "11"}
    rows = [STAY | {"encounter_id": "3"}, STAY | {"readmitted": "<30"}, STAY | died]
    path = zipped(tmp_path / readmission.FILE, "dataset_diabetes/diabetic_data.csv", rows)
    read = readmission._read(path)
    assert [row["encounter_id"] for row in read] == ["1", "3"]  # the second died
    assert [row["within_30"] for row in read] == ["0", "0"]  # the one before ended in death
    assert [row["earlier"] for row in read] == ["0", "2"]
    cases = readmission._cases(read, readmission._CHART)
    row = next(cases.rows())
    assert cases.label.tolist() == [1, 0]
    assert (row["age"], row["stays.count"], row["hba1c.last"]) == (75.0, 3.0, 8.5)
    assert (row["heart_failure.there"], row["kidney.there"], row["discharge"]) == (1.0, 0.0, "home")


def test_icd_9_codes_fall_into_their_groups():
    assert is_in("428.0", GROUPS["heart_failure"][1])
    assert not is_in("V45", GROUPS["heart_failure"][1])
    assert [chapter(code) for code in ("250.83", "785", "E849", "?", "999")] == [
        "diabetes", "circulatory", "other", None, "injury",
    ]  # fmt: skip


def test_who_left_early_counts_through_the_others_by_hand():
    """Four people, a horizon of 10 days: an outcome at 2, one leaves at 4, an outcome at 6, one
    stays. At 4, three are there: still seen afterwards are 2/3."""
    found = follow(
        [(2, True, False), (4, False, False), (6, True, False), (12, False, False)],
        timedelta(days=10),
    )
    assert found.label.tolist() == [1, 0, 1, 0]
    assert found.weight.tolist() == pytest.approx([1.0, 0.0, 1.5, 1.5])
    assert found.weight.sum() == pytest.approx(4)


def test_who_died_without_the_outcome_is_followed_to_the_end():
    found = follow([(3, False, True), (12, False, False)], timedelta(days=10))
    assert found.weight.tolist() == [1.0, 1.0]
    assert found.label.tolist() == [0, 0]


def nafld_files(folder, values, events):
    person = {"id": "1", "age": "50", "male": "1", "bmi": "NA", "futime": "3000", "status": "0"}
    gzipped(folder / nafld.FILES[0], [person, person | {"id": "2", "bmi": "30", "futime": "100"}])
    gzipped(folder / nafld.FILES[1],
            [{"id": i, "days": d, "test": t, "value": v} for i, d, t, v in values])  # fmt: skip
    gzipped(folder / nafld.FILES[2], [{"id": i, "days": d, "event": e} for i, d, e in events])
    return nafld._read([folder / name for name in nafld.FILES])


def test_of_measurements_only_those_until_day_0_and_possible_ones_count(tmp_path):
    values = [("1", "-10", "hdl", "50"), ("1", "0", "hdl", "45"), ("1", "9", "hdl", "90"),
              ("1", "-5", "sbp", "13682"), ("2", "-4000", "hdl", "40")]  # fmt: skip
    events = [("1", "5", "htn"), ("1", "700", "diabetes"), ("2", "-3", "htn")]
    cases = nafld._cases(*nafld_files(tmp_path, values, events), ("diabetes",))
    first, second = cases.rows()
    assert (first["hdl.last"], first["systolic.last"], first["hypertension.there"]) == (45, None, 0)
    assert (second["hdl.last"], second["hypertension.there"], second["bmi.last"]) == (None, 1, 30)
    assert cases.label.tolist() == [1, 0]
    assert cases.weight.tolist() == [2.0, 0.0]  # one of two left at day 100


def test_who_had_the_outcome_before_is_not_asked_about(tmp_path):
    read = nafld_files(tmp_path, [("1", "0", "hdl", "45")], [("1", "-5", "diabetes")])
    cases = nafld._cases(*read, ("diabetes",))
    assert cases.person.tolist() == [2]


@pytest.mark.parametrize("module", [noshow, readmission, framingham, nafld])
def test_a_data_set_that_is_absent_is_named(module, tmp_path):
    with pytest.raises(Absent, match="is not in the folder"):
        module.build(tmp_path)


def test_without_data_the_command_says_that_it_skipped(tmp_path, root_of_project):
    ran = subprocess.run(
        [sys.executable, "-m", "evaluate", "--data", str(tmp_path)],
        capture_output=True, text=True, cwd=root_of_project, check=False,
    )  # fmt: skip
    assert ran.returncode == 0
    assert ran.stderr.count("SKIPPED") == 4
    assert "Nothing to evaluate" in ran.stderr
