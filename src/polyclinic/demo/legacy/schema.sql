-- Harbor Street Clinic, as it grew since 1998: some keys are declared, most are only meant.

CREATE TABLE sites (
    site_cd   TEXT PRIMARY KEY,
    site_nm   TEXT NOT NULL,
    addr      TEXT,
    phone     TEXT
);
CREATE TABLE providers (
    id        INTEGER PRIMARY KEY,
    prov_code TEXT NOT NULL UNIQUE,
    last_nm   TEXT NOT NULL,
    first_nm  TEXT NOT NULL,
    specialty TEXT,
    npi       TEXT,
    home_site TEXT,
    active    TEXT NOT NULL DEFAULT 'Y'
);
CREATE TABLE users (
    login     TEXT PRIMARY KEY,
    full_nm   TEXT NOT NULL,
    role      TEXT NOT NULL,
    pwhash    TEXT NOT NULL,
    prov_code TEXT,
    disabled  INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE patients (
    id        INTEGER PRIMARY KEY,
    mrn       TEXT NOT NULL UNIQUE,
    last_nm   TEXT NOT NULL,
    first_nm  TEXT,
    mi        TEXT,
    dob       TEXT,
    sex       TEXT,
    phone     TEXT,
    email     TEXT,
    addr1     TEXT,
    city      TEXT,
    state     TEXT,
    zip       TEXT,
    pcp       TEXT,
    lang      TEXT,
    deceased  TEXT NOT NULL DEFAULT 'N',
    del_flag  TEXT NOT NULL DEFAULT 'N',
    upd_ts    TEXT NOT NULL
);
CREATE TABLE appts (
    id        INTEGER PRIMARY KEY,
    pat_id    INTEGER NOT NULL REFERENCES patients (id),
    prov_id   INTEGER NOT NULL REFERENCES providers (id),
    site      TEXT,
    start_dt  TEXT NOT NULL,
    mins      INTEGER NOT NULL,
    reason    TEXT,
    stat      TEXT NOT NULL DEFAULT 'BOOKED',
    upd_ts    TEXT NOT NULL
);
CREATE INDEX appts_start ON appts (start_dt);
CREATE INDEX appts_pat ON appts (pat_id);
CREATE TABLE encounters (
    enc_id    INTEGER PRIMARY KEY,
    pat_id    INTEGER NOT NULL REFERENCES patients (id),
    appt      INTEGER,
    prov_code TEXT,
    enc_dt    TEXT NOT NULL,
    cc        TEXT,
    note      TEXT,
    signed    TEXT NOT NULL DEFAULT 'N',
    upd_ts    TEXT NOT NULL
);
CREATE INDEX encounters_pat ON encounters (pat_id);
CREATE TABLE vitals (
    id        INTEGER PRIMARY KEY,
    enc_id    INTEGER NOT NULL,
    wt_lb     REAL,
    ht_in     REAL,
    temp_f    REAL,
    bp_sys    INTEGER,
    bp_dia    INTEGER,
    pulse     INTEGER,
    upd_ts    TEXT NOT NULL
);
CREATE INDEX vitals_enc ON vitals (enc_id);
CREATE TABLE problems (
    prob_no   INTEGER PRIMARY KEY,
    patient_id INTEGER NOT NULL,
    icd10     TEXT,
    descr     TEXT NOT NULL,
    onset     TEXT,
    stat      TEXT NOT NULL DEFAULT 'ACTIVE',
    upd_ts    TEXT NOT NULL
);
CREATE INDEX problems_patient ON problems (patient_id);
CREATE TABLE allergies (
    id        INTEGER PRIMARY KEY,
    mrn       TEXT NOT NULL,
    substance TEXT NOT NULL,
    rxn       TEXT,
    severity  TEXT,
    onset_yr  TEXT,
    inactive_dt TEXT,
    upd_ts    TEXT NOT NULL
);
CREATE INDEX allergies_mrn ON allergies (mrn);
CREATE TABLE meds (
    rx_no     TEXT PRIMARY KEY,
    pt        INTEGER NOT NULL,
    drug      TEXT NOT NULL,
    rxnorm    TEXT,
    dose      TEXT,
    dose_unit TEXT,
    freq      TEXT,
    route     TEXT,
    start_dt  TEXT,
    stop_dt   TEXT,
    prescriber TEXT,
    is_deleted INTEGER NOT NULL DEFAULT 0,
    upd_ts    TEXT NOT NULL
);
CREATE INDEX meds_pt ON meds (pt);
CREATE TABLE orders (
    order_no  TEXT PRIMARY KEY,
    mrn       TEXT NOT NULL,
    test_cd   TEXT NOT NULL,
    ord_prov  TEXT,
    ord_dt    TEXT NOT NULL,
    stat      TEXT NOT NULL DEFAULT 'OPEN',
    upd_ts    TEXT NOT NULL
);
CREATE INDEX orders_mrn ON orders (mrn);
CREATE TABLE labs (
    id        INTEGER PRIMARY KEY,
    accession TEXT NOT NULL,
    order_no  TEXT,
    mrn       TEXT NOT NULL,
    test_cd   TEXT NOT NULL,
    loinc     TEXT,
    val       TEXT,
    units     TEXT,
    ref_rng   TEXT,
    flag      TEXT,
    coll_dt   TEXT NOT NULL,
    stat      TEXT NOT NULL DEFAULT 'F',
    upd_ts    TEXT NOT NULL
);
CREATE INDEX labs_mrn ON labs (mrn);
CREATE INDEX labs_accession ON labs (accession);
CREATE TABLE ins_policies (
    id        INTEGER PRIMARY KEY,
    pat_mrn   TEXT NOT NULL,
    payer_nm  TEXT NOT NULL,
    member_no TEXT NOT NULL,
    grp       TEXT,
    eff_dt    TEXT,
    term_dt   TEXT,
    prio      INTEGER NOT NULL DEFAULT 1,
    upd_ts    TEXT NOT NULL
);
CREATE INDEX ins_mrn ON ins_policies (pat_mrn);
CREATE TABLE invoices (
    inv_no    TEXT PRIMARY KEY,
    acct      TEXT NOT NULL,
    enc_no    INTEGER,
    inv_dt    TEXT NOT NULL,
    total     NUMERIC(10, 2) NOT NULL,
    stat      TEXT NOT NULL DEFAULT 'OPEN',
    upd_ts    TEXT NOT NULL
);
CREATE INDEX invoices_acct ON invoices (acct);
CREATE TABLE inv_lines (
    id        INTEGER PRIMARY KEY,
    inv_no    TEXT NOT NULL REFERENCES invoices (inv_no),
    svc_cd    TEXT NOT NULL,
    descr     TEXT NOT NULL,
    qty       INTEGER NOT NULL DEFAULT 1,
    amt       NUMERIC(10, 2) NOT NULL,
    upd_ts    TEXT NOT NULL
);
CREATE INDEX lines_inv ON inv_lines (inv_no);
CREATE TABLE payments (
    pmt_id    INTEGER PRIMARY KEY,
    inv_no    TEXT NOT NULL REFERENCES invoices (inv_no),
    pmt_dt    TEXT NOT NULL,
    amt       NUMERIC(10, 2) NOT NULL,
    method    TEXT NOT NULL,
    void_flag TEXT NOT NULL DEFAULT 'N',
    upd_ts    TEXT NOT NULL
);
CREATE INDEX payments_inv ON payments (inv_no);
CREATE TABLE audit_log (
    id        INTEGER PRIMARY KEY,
    at        TEXT NOT NULL,
    usr       TEXT NOT NULL,
    act       TEXT NOT NULL,
    mrn       TEXT
);

-- Added in 2019 for a data warehouse that was never bought: every change, by triggers.
-- Whoever writes for another system names it in chg_origin and takes the name away again.
CREATE TABLE chg_origin (
    tag       TEXT NOT NULL
);
CREATE TABLE chg_log (
    seq       INTEGER PRIMARY KEY AUTOINCREMENT,
    tbl       TEXT NOT NULL,
    pk        TEXT NOT NULL,
    op        TEXT NOT NULL,
    origin    TEXT NOT NULL DEFAULT '',
    at        TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
);
