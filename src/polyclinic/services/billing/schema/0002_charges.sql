-- From a visit to charges: what was done is sealed under the patient's key, amounts are readable.

-- Who owes or is treated: name, birth date, sex, address, sealed; kept so that billing can work
-- without records, and so that a claim says what was true when it was made.
CREATE TABLE billing.person (
    patient text COLLATE "C" PRIMARY KEY,
    sealed  bytea NOT NULL,
    changed timestamptz NOT NULL DEFAULT now()
);

-- Insurers as configured, readable: they are no patients. `document` is JSON (domain/payers.py).
CREATE TABLE billing.payer (
    id       text COLLATE "C" PRIMARY KEY,
    name     text NOT NULL,
    x12_id   text COLLATE "C" NOT NULL UNIQUE,
    document bytea NOT NULL,
    changed  timestamptz NOT NULL DEFAULT now()
);

-- What a patient's insurance pays: member id and the like sealed, terms in minor units readable.
CREATE TABLE billing.coverage (
    id         uuid PRIMARY KEY DEFAULT uuidv7(),
    patient    text COLLATE "C" NOT NULL,
    payer      text COLLATE "C" NOT NULL REFERENCES billing.payer (id),
    rank       smallint NOT NULL DEFAULT 1 CHECK (rank BETWEEN 1 AND 9),
    from_day   date NOT NULL,
    until_day  date CHECK (until_day >= from_day),
    copay            bigint NOT NULL DEFAULT 0 CHECK (copay >= 0),
    deductible_left  bigint NOT NULL DEFAULT 0 CHECK (deductible_left >= 0),
    coinsurance_bp   integer NOT NULL DEFAULT 0 CHECK (coinsurance_bp BETWEEN 0 AND 10000),
    out_of_pocket_left bigint CHECK (out_of_pocket_left >= 0),
    sealed     bytea NOT NULL,
    made       timestamptz NOT NULL DEFAULT now(),
    ended      timestamptz
);
CREATE INDEX coverage_of_patient ON billing.coverage (patient, rank);

-- A schedule is the clinic's list (no payer) or what a payer allows, from a day until a day.
CREATE TABLE billing.fee_schedule (
    id        uuid PRIMARY KEY DEFAULT uuidv7(),
    name      text NOT NULL,
    payer     text COLLATE "C" REFERENCES billing.payer (id),
    from_day  date NOT NULL,
    until_day date CHECK (until_day >= from_day),
    currency  text COLLATE "C" NOT NULL,
    author    text COLLATE "C" NOT NULL,
    made      timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX fee_schedule_of_payer ON billing.fee_schedule (payer, from_day);
CREATE TABLE billing.fee (
    schedule uuid NOT NULL REFERENCES billing.fee_schedule (id) ON DELETE CASCADE,
    code     text COLLATE "C" NOT NULL,
    modifier text COLLATE "C" NOT NULL DEFAULT '',
    title    text NOT NULL,
    amount   bigint NOT NULL CHECK (amount >= 0),
    PRIMARY KEY (schedule, code, modifier)
);

-- A visit that may become charges. `source` keeps it from coming twice ('Appointment/<id>').
CREATE TABLE billing.visit (
    id           uuid PRIMARY KEY DEFAULT uuidv7(),
    source       text COLLATE "C" NOT NULL UNIQUE,
    encounter    text COLLATE "C" UNIQUE,    -- 'Encounter/<id>', once the chart has one
    patient      text COLLATE "C" NOT NULL,
    practitioner text COLLATE "C" NOT NULL,
    day          date NOT NULL,
    status       text COLLATE "C" NOT NULL DEFAULT 'to code'
                 CHECK (status IN ('to code', 'coded', 'not billable')),
    coverage     uuid REFERENCES billing.coverage (id),
    diagnoses    bytea,                      -- sealed: ICD-10-CM codes in order
    coded        timestamptz,
    made         timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX visit_of_patient ON billing.visit (patient, day);
CREATE INDEX visit_to_code ON billing.visit (day) WHERE status = 'to code';

CREATE TABLE billing.charge (
    id       uuid PRIMARY KEY DEFAULT uuidv7(),
    visit    uuid NOT NULL REFERENCES billing.visit (id),
    line     smallint NOT NULL,
    patient  text COLLATE "C" NOT NULL,
    day      date NOT NULL,
    amount   bigint NOT NULL CHECK (amount >= 0),   -- all units together
    units    integer NOT NULL CHECK (units BETWEEN 1 AND 9999),
    currency text COLLATE "C" NOT NULL,
    status   text COLLATE "C" NOT NULL DEFAULT 'billable'
             CHECK (status IN ('billable', 'billed', 'aborted')),
    sealed   bytea NOT NULL,                 -- code, modifiers, diagnosis pointers, title
    made     timestamptz NOT NULL DEFAULT now(),
    UNIQUE (visit, line)
);
CREATE INDEX charge_of_patient ON billing.charge (patient, day);

-- Good-faith estimates (No Surprises Act, 45 CFR 149.610) and insured estimates.
CREATE TABLE billing.estimate (
    id        uuid PRIMARY KEY DEFAULT uuidv7(),
    patient   text COLLATE "C" NOT NULL,
    kind      text COLLATE "C" NOT NULL CHECK (kind IN ('good-faith', 'insured')),
    coverage  uuid REFERENCES billing.coverage (id),
    for_day   date NOT NULL,
    total     bigint NOT NULL CHECK (total >= 0),
    share     bigint NOT NULL CHECK (share >= 0),   -- what the patient is expected to pay
    currency  text COLLATE "C" NOT NULL,
    sealed    bytea NOT NULL,                -- the lines
    visit     uuid REFERENCES billing.visit (id),   -- the visit it came true in
    billed    bigint,                        -- what that visit cost the patient in the end
    flagged   boolean NOT NULL DEFAULT false,
    author    text COLLATE "C" NOT NULL,
    made      timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX estimate_of_patient ON billing.estimate (patient, for_day);

-- What opens a resource of billing to a clinician stands in fhirserver's `relation`.
