-- Claims, the files that carry them both ways, remittances, and what waits for a person.

CREATE TABLE billing.claim (
    id        uuid PRIMARY KEY DEFAULT uuidv7(),
    number    text COLLATE "C" NOT NULL UNIQUE,   -- CLM01: opaque, 20 characters at most
    visit     uuid NOT NULL REFERENCES billing.visit (id),
    patient   text COLLATE "C" NOT NULL,
    payer     text COLLATE "C" NOT NULL REFERENCES billing.payer (id),
    coverage  uuid NOT NULL REFERENCES billing.coverage (id),
    status    text COLLATE "C" NOT NULL DEFAULT 'draft' CHECK (status IN (
        'draft', 'checked', 'submitted', 'accepted', 'rejected', 'paid', 'denied', 'appealed')),
    frequency smallint NOT NULL DEFAULT 1 CHECK (frequency IN (1, 7, 8)),
    total     bigint NOT NULL CHECK (total >= 0),
    paid      bigint NOT NULL DEFAULT 0,
    currency  text COLLATE "C" NOT NULL,
    payer_number text COLLATE "C",                -- CLP07, the payer's own number
    problems  bytea,                              -- sealed: what the last check found
    prior_authorization bytea,                    -- sealed
    version   integer NOT NULL DEFAULT 1,
    made      timestamptz NOT NULL DEFAULT now(),
    changed   timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX claim_of_patient ON billing.claim (patient, made);
CREATE INDEX claim_by_status ON billing.claim (status, changed);
CREATE UNIQUE INDEX one_claim_a_visit_and_payer ON billing.claim (visit, payer);

-- Clinicians as claims name them: NPI and taxonomy are public (NPPES); they are no patients.
CREATE TABLE billing.provider (
    practitioner text COLLATE "C" PRIMARY KEY,
    last_name    text NOT NULL,
    first_name   text NOT NULL,
    npi          text COLLATE "C" NOT NULL,
    taxonomy     text COLLATE "C" NOT NULL DEFAULT '',
    changed      timestamptz NOT NULL DEFAULT now()
);

-- A charge is asked of a claim line by its control number (REF*6R).
CREATE TABLE billing.claim_line (
    claim   uuid NOT NULL REFERENCES billing.claim (id),
    line    smallint NOT NULL,
    charge  uuid NOT NULL REFERENCES billing.charge (id),
    amount  bigint NOT NULL,
    PRIMARY KEY (claim, line)
);
CREATE INDEX claim_line_of_charge ON billing.claim_line (charge);

-- Everything that happened to a claim, in order; notes are sealed.
CREATE TABLE billing.claim_event (
    claim  uuid NOT NULL REFERENCES billing.claim (id),
    seq    integer NOT NULL,
    at     timestamptz NOT NULL DEFAULT now(),
    status text COLLATE "C" NOT NULL,
    kind   text COLLATE "C" NOT NULL,
    author text COLLATE "C" NOT NULL,
    file   uuid,
    sealed bytea,
    PRIMARY KEY (claim, seq)
);

-- X12 as it went out and came in. The digest keeps the same file from being taken twice.
CREATE TABLE billing.x12_file (
    id        uuid PRIMARY KEY DEFAULT uuidv7(),
    direction text COLLATE "C" NOT NULL CHECK (direction IN ('out', 'in')),
    kind      text COLLATE "C" NOT NULL,         -- 837P, TA1, 999, 277CA, 835, unknown
    payer     text COLLATE "C" REFERENCES billing.payer (id),
    control   text COLLATE "C",                  -- ISA13
    digest    bytea NOT NULL,
    status    text COLLATE "C" NOT NULL CHECK (status IN ('ready', 'sent', 'taken', 'held', 'refused')),
    problem   text,                              -- segment and position; never what the segment says
    sealed    bytea NOT NULL,
    made      timestamptz NOT NULL DEFAULT now(),
    changed   timestamptz NOT NULL DEFAULT now(),
    UNIQUE (direction, digest)
);
CREATE INDEX x12_file_by_age ON billing.x12_file (made);
CREATE INDEX x12_file_by_status ON billing.x12_file (status, made);
CREATE INDEX x12_file_of_control ON billing.x12_file (payer, control) WHERE direction = 'out';
CREATE TABLE billing.x12_file_claim (
    file  uuid NOT NULL REFERENCES billing.x12_file (id),
    claim uuid NOT NULL REFERENCES billing.claim (id),
    PRIMARY KEY (claim, file)
);
CREATE INDEX x12_file_claim_of_file ON billing.x12_file_claim (file);
-- Control numbers of each trading partner, without gaps.
CREATE TABLE billing.control_number (
    partner text COLLATE "C" NOT NULL,
    kind    text COLLATE "C" NOT NULL,           -- ISA, GS, ST
    last    bigint NOT NULL,
    PRIMARY KEY (partner, kind)
);

-- One payment of a payer, with what it was for. Posting it twice is impossible: `trace` is its name.
CREATE TABLE billing.remittance (
    id       uuid PRIMARY KEY DEFAULT uuidv7(),
    payer    text COLLATE "C" NOT NULL REFERENCES billing.payer (id),
    trace    text COLLATE "C" NOT NULL,          -- TRN02
    paid     bigint NOT NULL,                    -- BPR02
    currency text COLLATE "C" NOT NULL,
    day      date NOT NULL,
    lines    integer NOT NULL,
    digest   bytea NOT NULL,                     -- of all it says: the same name with another content is held
    file     uuid NOT NULL REFERENCES billing.x12_file (id),
    posted   timestamptz NOT NULL DEFAULT now(),
    UNIQUE (payer, trace)
);
-- What the payer decided of each line: how a bill came about is told from here.
CREATE TABLE billing.remittance_line (
    remittance uuid NOT NULL REFERENCES billing.remittance (id),
    line       integer NOT NULL,
    claim      uuid,                             -- none: the payer named a claim that is not ours
    charge     uuid,
    charged    bigint NOT NULL,
    paid       bigint NOT NULL,
    patient_share bigint NOT NULL,
    adjustments bytea NOT NULL,                  -- JSON: [["CO", "45", 1234], …]
    PRIMARY KEY (remittance, line)
);
CREATE INDEX remittance_line_of_claim ON billing.remittance_line (claim);

-- What waits for a person. `subject` is 'Claim/<id>', 'Visit/<id>', 'File/<id>', 'Patient/<id>' …
CREATE TABLE billing.work_item (
    id      uuid PRIMARY KEY DEFAULT uuidv7(),
    queue   text COLLATE "C" NOT NULL CHECK (queue IN (
        'to code', 'to submit', 'held', 'rejected', 'denied', 'unapplied', 'estimate', 'gateway')),
    subject text COLLATE "C" NOT NULL,
    patient text COLLATE "C",
    payer   text COLLATE "C",
    amount  bigint NOT NULL DEFAULT 0,
    code    text COLLATE "C" NOT NULL DEFAULT '', -- 'CO-50', 'A7'
    owner   text COLLATE "C",
    due     date,
    made    timestamptz NOT NULL DEFAULT now(),
    done    timestamptz,
    done_by text COLLATE "C",
    outcome text COLLATE "C"
);
CREATE UNIQUE INDEX one_open_item ON billing.work_item (queue, subject) WHERE done IS NULL;
CREATE INDEX work_item_by_age ON billing.work_item (queue, id) WHERE done IS NULL;

-- FHIR documents that records is to have (Claim, ClaimResponse, ExplanationOfBenefit): which, and
-- how far it has them. They are put together when they are sent.
CREATE TABLE billing.publication (
    kind    text COLLATE "C" NOT NULL,
    claim   uuid NOT NULL REFERENCES billing.claim (id),
    version integer NOT NULL DEFAULT 1,
    told    integer NOT NULL DEFAULT 0,          -- the last version that records has
    tries   integer NOT NULL DEFAULT 0,
    next    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (kind, claim)
);
CREATE INDEX publication_waiting ON billing.publication (next) WHERE told < version;
