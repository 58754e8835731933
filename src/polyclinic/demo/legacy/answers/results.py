"""Laboratory results and orders."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from polyclinic.demo.legacy.answers.saying import (
    bad,
    form,
    kept_of,
    not_found,
    noted,
    patient,
    say,
)
from polyclinic.demo.legacy.kept import Json, stamp


def _shown(row: Json) -> Json:
    return {
        "Accession": row["accession"], "Test": row["test_cd"], "LOINC": row["loinc"],
        "Value": row["val"], "Units": row["units"], "RefRange": row["ref_rng"],
        "Flag": row["flag"], "Collected": row["coll_dt"], "Status": row["stat"],
    }  # fmt: skip


async def get_results(request: Request) -> Response:
    number = patient(request, "results")["mrn"]
    query = "SELECT * FROM labs WHERE mrn = ? ORDER BY coll_dt DESC, id"
    listed = [_shown(row) for row in kept_of(request).all(query, number)]
    return say(request, "results", {"MRN": number, "results": listed})


async def get_accession(request: Request) -> Response:
    query = "SELECT * FROM labs WHERE accession = ? ORDER BY id"
    rows = kept_of(request).all(query, request.path_params["accession"])
    if not rows:
        raise not_found()
    value = {"MRN": rows[0]["mrn"], "results": [_shown(row) for row in rows]}
    return say(request, "accession", value)


async def post_order(request: Request) -> Response:
    given, kept = await form(request), kept_of(request)
    row = kept.one("SELECT mrn FROM patients WHERE mrn = ?", given.get("mrn", ""))
    if row is None or not given.get("test"):
        raise bad("MRN_OR_TEST")
    count = kept.one("SELECT count(*) AS n FROM orders") or {"n": 0}
    new, now = f"ORD{9_000_000 + count['n']:07}", stamp()
    query = (
        "INSERT INTO orders (order_no, mrn, test_cd, ord_prov, ord_dt, upd_ts)"
        " VALUES (?, ?, ?, ?, ?, ?)"
    )
    values = (new, row["mrn"], given["test"], given.get("prov"), now[:10], now)
    kept.write([(query, values), noted(request, "ORDER", row["mrn"])])
    return JSONResponse({"ok": True, "OrderNo": new}, 201)


routes = [
    Route("/labs/results.do", get_results),
    Route("/labs/order.do", post_order, methods=["POST"]),
    Route("/labs/{accession}", get_accession),
]
