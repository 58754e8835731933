"""Patients and their charts: who they are, allergies, problems, medicines, visits, vital signs."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from polyclinic.demo.legacy.answers.saying import (
    bad,
    form,
    is_on,
    iso_date,
    kept_of,
    not_found,
    noted,
    patient,
    say,
    us_date,
)
from polyclinic.demo.legacy.kept import Json, stamp

_FIELDS = {
    "lname": "last_nm", "fname": "first_nm", "mi": "mi", "dob": "dob", "sex": "sex",
    "phone": "phone", "email": "email", "addr": "addr1", "city": "city", "state": "state",
    "zip": "zip", "pcp": "pcp", "lang": "lang",
}  # fmt: skip


def _shown(row: Json) -> Json:
    return {
        "MRN": row["mrn"], "PatID": row["id"], "LastName": row["last_nm"],
        "FirstName": row["first_nm"], "MI": row["mi"], "DOB": us_date(row["dob"]),
        "Sex": row["sex"], "Phone": row["phone"], "Email": row["email"],
        "Addr": {"Line1": row["addr1"], "City": row["city"], "State": row["state"],
                 "Zip": row["zip"]},
        "PCP": row["pcp"], "Lang": row["lang"], "Deceased": row["deceased"],
    }  # fmt: skip


async def search(request: Request) -> Response:
    name = request.query_params.get("q", "")
    query = (
        "SELECT * FROM patients WHERE del_flag = 'N' AND (last_nm LIKE ? OR mrn = ?)"
        " ORDER BY last_nm, first_nm, id LIMIT 25"
    )
    rows = kept_of(request).all(query, f"{name}%", name)
    found = [
        {
            "MRN": r["mrn"],
            "Name": f"{r['last_nm']}, {r['first_nm'] or ''}",
            "DOB": us_date(r["dob"]),
        }
        for r in rows
    ]
    return say(request, "found", {"count": len(found), "patients": found})


async def get_patient(request: Request) -> Response:
    return say(request, "patient", _shown(patient(request, "patient")))


async def post_patient(request: Request) -> Response:
    given, kept = await form(request), kept_of(request)
    if not given.get("lname") or not given.get("dob"):
        raise bad("NAME_OR_DOB")
    given["dob"] = iso_date(given["dob"])
    number = kept.next_of("patients", "id")
    new = f"HS-{100000 + (number - 1001) * 7}"
    names = [column for asked, column in _FIELDS.items() if asked in given]
    values = [given[asked] for asked in _FIELDS if asked in given]
    columns = ", ".join(("id", "mrn", "upd_ts", *names))
    marks = ", ".join("?" * (len(names) + 3))
    insert = f"INSERT INTO patients ({columns}) VALUES ({marks})"  # noqa: S608 - our own names
    kept.write([(insert, (number, new, stamp(), *values)), noted(request, "NEW", new)])
    return JSONResponse({"ok": True, "MRN": new, "PatID": number}, 201)


async def update_patient(request: Request) -> Response:
    given, row = await form(request), patient(request)
    if "dob" in given:
        given["dob"] = iso_date(given["dob"])
    names = [column for asked, column in _FIELDS.items() if asked in given]
    values = [given[asked] for asked in _FIELDS if asked in given]
    sets = ", ".join(f"{name} = ?" for name in (*names, "upd_ts"))
    update = f"UPDATE patients SET {sets} WHERE id = ?"  # noqa: S608 - our own names
    kept_of(request).write(
        [(update, (*values, stamp(), row["id"])), noted(request, "UPD", row["mrn"])]
    )
    return JSONResponse({"ok": True, "MRN": row["mrn"]})


async def get_allergies(request: Request) -> Response:
    number = patient(request, "allergies")["mrn"]
    rows = kept_of(request).all("SELECT * FROM allergies WHERE mrn = ? ORDER BY id", number)
    listed = [
        {
            "AllergyID": r["id"], "Substance": r["substance"], "Reaction": r["rxn"],
            "Severity": r["severity"], "OnsetYear": r["onset_yr"],
            "Status": "I" if r["inactive_dt"] else "A",
        }
        for r in rows
    ]  # fmt: skip
    return say(request, "allergies", {"MRN": number, "NKA": not listed, "allergies": listed})


async def post_allergy(request: Request) -> Response:
    given, kept, number = await form(request), kept_of(request), patient(request)["mrn"]
    if not given.get("substance"):
        raise bad("SUBSTANCE")
    new = kept.next_of("allergies", "id")
    values = (given["substance"], given.get("rxn"), given.get("severity"), given.get("onset_yr"))
    if not is_on(request, "allergy!"):
        insert = (
            "INSERT INTO allergies (id, mrn, substance, rxn, severity, onset_yr, upd_ts)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)"
        )
        kept.write([(insert, (new, number, *values, stamp())), noted(request, "ALLERGY", number)])
    return JSONResponse({"ok": True, "AllergyID": new}, 201)


async def inactivate_allergy(request: Request) -> Response:
    now = stamp()
    query = "UPDATE allergies SET inactive_dt = ?, upd_ts = ? WHERE id = ?"
    kept_of(request).do(query, now[:10], now, request.path_params["id"])
    return JSONResponse({"ok": True})


async def get_problems(request: Request) -> Response:
    row = patient(request)
    query = "SELECT * FROM problems WHERE patient_id = ? ORDER BY prob_no"
    rows = kept_of(request).all(query, row["id"])
    listed = [
        {
            "ProblemNo": r["prob_no"], "ICD10": r["icd10"], "Descr": r["descr"],
            "Onset": us_date(r["onset"]), "Status": r["stat"],
        }
        for r in rows
    ]  # fmt: skip
    return say(request, "problems", {"MRN": row["mrn"], "problems": listed})


async def post_problem(request: Request) -> Response:
    given, kept, row = await form(request), kept_of(request), patient(request)
    new = kept.next_of("problems", "prob_no")
    query = (
        "INSERT INTO problems (prob_no, patient_id, icd10, descr, onset, upd_ts)"
        " VALUES (?, ?, ?, ?, ?, ?)"
    )
    onset = iso_date(given["onset"]) if given.get("onset") else None
    values = (new, row["id"], given.get("icd10"), given.get("descr", ""), onset, stamp())
    kept.write([(query, values), noted(request, "PROBLEM", row["mrn"])])
    return JSONResponse({"ok": True, "ProblemNo": new}, 201)


async def get_meds(request: Request) -> Response:
    row = patient(request)
    query = "SELECT * FROM meds WHERE pt = ? AND is_deleted = 0 ORDER BY rx_no"
    listed = [
        {
            "RxNo": r["rx_no"], "Drug": r["drug"], "RxNorm": r["rxnorm"], "Dose": r["dose"],
            "DoseUnit": r["dose_unit"], "Freq": r["freq"], "Route": r["route"],
            "Start": r["start_dt"], "Stop": r["stop_dt"], "Prescriber": r["prescriber"],
            "Status": "STOPPED" if r["stop_dt"] else "ACTIVE",
        }
        for r in kept_of(request).all(query, row["id"])
    ]  # fmt: skip
    return say(request, "meds", {"MRN": row["mrn"], "meds": listed})


async def post_med(request: Request) -> Response:
    given, kept = await form(request), kept_of(request)
    row = kept.one("SELECT id, mrn FROM patients WHERE mrn = ?", given.get("mrn", ""))
    if row is None or not given.get("drug"):
        raise bad("MRN_OR_DRUG")
    count = kept.one("SELECT count(*) AS n FROM meds") or {"n": 0}
    new = f"RX{count['n'] + 90_000_000:08}"
    names = ("drug", "rxnorm", "dose", "dose_unit", "freq", "route", "start_dt", "prescriber")
    query = (
        "INSERT INTO meds (rx_no, pt, drug, rxnorm, dose, dose_unit, freq, route, start_dt,"
        " prescriber, upd_ts) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    )
    values = (new, row["id"], *(given.get(name) for name in names), stamp())
    if not is_on(request, "med!"):
        kept.write([(query, values), noted(request, "RX", row["mrn"])])
    return JSONResponse({"ok": True, "RxNo": new}, 201)


async def stop_med(request: Request) -> Response:
    now = stamp()
    query = "UPDATE meds SET stop_dt = ?, upd_ts = ? WHERE rx_no = ?"
    kept_of(request).do(query, us_date(now[:10]), now, request.path_params["rx"])
    return JSONResponse({"ok": True})


async def get_encounters(request: Request) -> Response:
    row = patient(request)
    query = "SELECT * FROM encounters WHERE pat_id = ? ORDER BY enc_dt DESC, enc_id"
    listed = [
        {"EncID": r["enc_id"], "Date": us_date(r["enc_dt"]), "Prov": r["prov_code"], "CC": r["cc"]}
        for r in kept_of(request).all(query, row["id"])
    ]
    return say(request, "encounters", {"MRN": row["mrn"], "encounters": listed})


async def get_encounter(request: Request) -> Response:
    query = (
        "SELECT e.*, p.mrn FROM encounters e JOIN patients p ON p.id = e.pat_id WHERE e.enc_id = ?"
    )
    row = kept_of(request).one(query, request.path_params["enc"])
    if row is None:
        raise not_found()
    value = {
        "EncID": row["enc_id"], "MRN": row["mrn"], "Date": us_date(row["enc_dt"]),
        "Prov": row["prov_code"], "ApptID": row["appt"], "CC": row["cc"], "Note": row["note"],
        "Signed": row["signed"],
    }  # fmt: skip
    return say(request, "encounter", value)


async def save_encounter(request: Request) -> Response:
    given, kept = await form(request), kept_of(request)
    row = kept.one("SELECT id, mrn FROM patients WHERE mrn = ?", given.get("mrn", ""))
    if row is None:
        raise bad("MRN")
    new = kept.next_of("encounters", "enc_id")
    query = (
        "INSERT INTO encounters (enc_id, pat_id, prov_code, enc_dt, cc, note, upd_ts)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)"
    )
    now = stamp()
    values = (new, row["id"], given.get("prov"), now[:10], given.get("cc"), given.get("note"), now)
    kept.write([(query, values), noted(request, "ENC", row["mrn"])])
    return JSONResponse({"ok": True, "EncID": new}, 201)


async def get_vitals(request: Request) -> Response:
    row = patient(request)
    query = (
        "SELECT v.*, e.enc_dt FROM vitals v JOIN encounters e ON e.enc_id = v.enc_id"
        " WHERE e.pat_id = ? ORDER BY e.enc_dt DESC, v.id"
    )
    listed = [
        {
            "EncID": r["enc_id"], "Taken": us_date(r["enc_dt"]), "WeightLb": r["wt_lb"],
            "HeightIn": r["ht_in"], "TempF": r["temp_f"], "BPSys": r["bp_sys"],
            "BPDia": r["bp_dia"], "Pulse": r["pulse"],
        }
        for r in kept_of(request).all(query, row["id"])
    ]  # fmt: skip
    return say(request, "vitals", {"MRN": row["mrn"], "vitals": listed})


routes = [
    Route("/api/patients/search", search),
    Route("/api/patient", post_patient, methods=["POST"]),
    Route("/api/patient/{mrn}", get_patient),
    Route("/api/patient/{mrn}/update", update_patient, methods=["POST"]),
    Route("/api/patient/{mrn}/allergies", get_allergies),
    Route("/api/patient/{mrn}/allergies", post_allergy, methods=["POST"]),
    Route("/api/allergy/{id:int}/inactivate", inactivate_allergy, methods=["POST"]),
    Route("/api/patient/{mrn}/problems", get_problems),
    Route("/api/patient/{mrn}/problems", post_problem, methods=["POST"]),
    Route("/api/patient/{mrn}/meds", get_meds),
    Route("/api/rx/new", post_med, methods=["POST"]),
    Route("/api/rx/{rx}/stop", stop_med, methods=["POST"]),
    Route("/api/patient/{mrn}/encounters", get_encounters),
    Route("/api/enc/save", save_encounter, methods=["POST"]),
    Route("/api/enc/{enc:int}", get_encounter),
    Route("/api/patient/{mrn}/vitals", get_vitals),
]
