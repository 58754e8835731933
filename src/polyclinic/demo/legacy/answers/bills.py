"""Invoices, what is owed, payments and insurance."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from polyclinic.demo.legacy.answers.saying import (
    bad,
    form,
    is_on,
    iso_date,
    kept_of,
    money,
    not_found,
    noted,
    patient,
    say,
    us_date,
)
from polyclinic.demo.legacy.kept import stamp

_PAID = (
    "SELECT coalesce(sum(p.amt), 0) AS paid FROM payments p JOIN invoices i ON i.inv_no = p.inv_no"
    " WHERE p.void_flag = 'N'"
)


async def get_invoice(request: Request) -> Response:
    kept, name = kept_of(request), request.path_params["inv"]
    row = kept.one("SELECT * FROM invoices WHERE inv_no = ?", name)
    if row is None:
        raise not_found()
    lines = kept.all("SELECT * FROM inv_lines WHERE inv_no = ? ORDER BY id", name)
    paid = (kept.one(f"{_PAID} AND p.inv_no = ?", name) or {"paid": 0})["paid"]
    value = {
        "InvNo": name, "MRN": row["acct"], "EncID": row["enc_no"], "Date": us_date(row["inv_dt"]),
        "Lines": [
            {"Code": r["svc_cd"], "Descr": r["descr"], "Qty": r["qty"], "Amount": money(r["amt"])}
            for r in lines
        ],
        "Total": money(row["total"]), "Paid": money(paid), "Due": money(row["total"] - paid),
        "Status": row["stat"],
    }  # fmt: skip
    return say(request, "invoice", value)


async def get_balance(request: Request) -> Response:
    kept, number = kept_of(request), patient(request)["mrn"]
    query = "SELECT coalesce(sum(total), 0) AS charged FROM invoices WHERE acct = ? AND stat <> 'X'"
    charged = (kept.one(query, number) or {"charged": 0})["charged"]
    paid = (kept.one(f"{_PAID} AND i.acct = ?", number) or {"paid": 0})["paid"]
    value = {
        "MRN": number, "Charged": money(charged), "Paid": money(paid),
        "Balance": money(charged - paid),
    }  # fmt: skip
    return say(request, "balance", value)


async def post_payment(request: Request) -> Response:
    given, kept = await form(request), kept_of(request)
    row = kept.one("SELECT * FROM invoices WHERE inv_no = ?", given.get("inv_no", ""))
    amount = given.get("amt", "")
    if row is None or not amount.replace(".", "", 1).isdigit():
        raise bad("INVOICE_OR_AMOUNT")
    new, now = kept.next_of("payments", "pmt_id"), stamp()
    query = (
        "INSERT INTO payments (pmt_id, inv_no, pmt_dt, amt, method, upd_ts)"
        " VALUES (?, ?, ?, ?, ?, ?)"
    )
    values = (new, row["inv_no"], now[:10], float(amount), given.get("method", "CASH"), now)
    if not is_on(request, "payment!"):
        kept.write([(query, values), noted(request, "PAY", row["acct"])])
    return JSONResponse({"ok": True, "PmtID": new}, 201)


async def aging(request: Request) -> Response:
    query = (
        "SELECT i.acct, sum(i.total) - coalesce((SELECT sum(p.amt) FROM payments p JOIN invoices j"
        " ON j.inv_no = p.inv_no WHERE j.acct = i.acct AND p.void_flag = 'N'), 0) AS due"
        " FROM invoices i WHERE i.stat <> 'X' GROUP BY i.acct HAVING due > 0.005 ORDER BY i.acct"
    )
    rows = kept_of(request).all(query)
    text = "acct,due\n" + "".join(f"{row['acct']},{money(row['due'])}\n" for row in rows)
    return Response(text, media_type="text/csv")


async def get_policies(request: Request) -> Response:
    number = patient(request)["mrn"]
    query = "SELECT * FROM ins_policies WHERE pat_mrn = ? ORDER BY prio, id"
    listed = [
        {
            "Payer": r["payer_nm"], "MemberNo": r["member_no"], "Group": r["grp"],
            "Begins": us_date(r["eff_dt"]), "Ends": us_date(r["term_dt"]), "Prio": r["prio"],
        }
        for r in kept_of(request).all(query, number)
    ]  # fmt: skip
    return say(request, "policies", {"MRN": number, "policies": listed})


async def post_policy(request: Request) -> Response:
    given, kept, number = await form(request), kept_of(request), patient(request)["mrn"]
    if not given.get("payer") or not given.get("member"):
        raise bad("PAYER_OR_MEMBER")
    query = (
        "INSERT INTO ins_policies (id, pat_mrn, payer_nm, member_no, grp, eff_dt, upd_ts)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)"
    )
    new = kept.next_of("ins_policies", "id")
    begins = iso_date(given["begins"]) if given.get("begins") else None
    values = (new, number, given["payer"], given["member"], given.get("grp"), begins, stamp())
    kept.write([(query, values), noted(request, "INS", number)])
    return JSONResponse({"ok": True, "PolicyID": new}, 201)


routes = [
    Route("/billing/invoice/{inv}", get_invoice),
    Route("/billing/account/{mrn}/balance", get_balance),
    Route("/billing/payment", post_payment, methods=["POST"]),
    Route("/billing/aging.csv", aging),
    Route("/insurance/{mrn}", get_policies),
    Route("/insurance/{mrn}", post_policy, methods=["POST"]),
]
