-- The patient's side: statements, payments, refunds, plans, and what a card gateway says.

CREATE TABLE billing.statement (
    id       uuid PRIMARY KEY DEFAULT uuidv7(),
    number   bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    patient  text COLLATE "C" NOT NULL,
    day      date NOT NULL,
    due      date NOT NULL,
    total    bigint NOT NULL,                    -- what was owed when it was made
    currency text COLLATE "C" NOT NULL,
    status   text COLLATE "C" NOT NULL DEFAULT 'issued'
             CHECK (status IN ('issued', 'balanced', 'cancelled')),
    seq      bigint NOT NULL DEFAULT 0,          -- the last ledger entry that it has seen
    sealed   bytea NOT NULL,                     -- its lines, as they were
    made     timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX statement_of_patient ON billing.statement (patient, number DESC);

-- The link on a statement: only a hash of it is kept, it says nothing and it ends.
CREATE TABLE billing.pay_link (
    hash      bytea PRIMARY KEY,
    statement uuid NOT NULL REFERENCES billing.statement (id),
    expires   timestamptz NOT NULL,
    failures  integer NOT NULL DEFAULT 0,        -- wrong answers to "when were you born"
    used      timestamptz
);
CREATE INDEX pay_link_of_statement ON billing.pay_link (statement);

-- `id` of a card payment comes from the request's idempotency key, and is the gateway's key in turn:
-- whoever repeats the request finds the same row, and the gateway the same payment.
-- `refunded` is reserved before the gateway is asked: refunds never exceed what was paid.
CREATE TABLE billing.payment (
    id       uuid PRIMARY KEY DEFAULT uuidv7(),
    patient  text COLLATE "C" NOT NULL,
    method   text COLLATE "C" NOT NULL CHECK (method IN ('card', 'cash', 'check', 'other')),
    amount   bigint NOT NULL CHECK (amount > 0),
    currency text COLLATE "C" NOT NULL,
    status   text COLLATE "C" NOT NULL CHECK (status IN (
        'starting', 'requires_action', 'processing', 'succeeded', 'failed', 'canceled')),
    refunded bigint NOT NULL DEFAULT 0 CHECK (refunded >= 0 AND refunded <= amount),
    disputed boolean NOT NULL DEFAULT false,
    statement uuid REFERENCES billing.statement (id),
    asked    bytea,                              -- a hash of the request that made it
    intent   text COLLATE "C" UNIQUE,            -- the gateway's own id
    charge   text COLLATE "C",                   -- what the gateway gives refunds from
    failure  text COLLATE "C",                   -- a code such as 'card_declined'
    author   text COLLATE "C" NOT NULL,
    made     timestamptz NOT NULL DEFAULT now(),
    changed  timestamptz NOT NULL DEFAULT now(),
    CHECK (method = 'card' OR intent IS NULL)
);
CREATE INDEX payment_of_patient ON billing.payment (patient, made);
-- Two windows, two presses, two replicas: a patient has one card page to pay on at a time.
CREATE UNIQUE INDEX one_open_card_payment ON billing.payment (patient)
    WHERE method = 'card' AND status IN ('starting', 'requires_action');
CREATE INDEX payment_unsettled ON billing.payment (changed)
    WHERE status IN ('starting', 'requires_action', 'processing');

CREATE TABLE billing.refund (
    id      uuid PRIMARY KEY DEFAULT uuidv7(),
    payment uuid NOT NULL REFERENCES billing.payment (id),
    amount  bigint NOT NULL CHECK (amount > 0),
    status  text COLLATE "C" NOT NULL CHECK (status IN ('starting', 'processing', 'succeeded', 'failed')),
    reason  text COLLATE "C" NOT NULL,
    asked   bytea,
    gateway text COLLATE "C" UNIQUE,
    author  text COLLATE "C" NOT NULL,
    made    timestamptz NOT NULL DEFAULT now(),
    changed timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX refund_of_payment ON billing.refund (payment);
CREATE INDEX refund_unsettled ON billing.refund (changed) WHERE status IN ('starting', 'processing');

CREATE TABLE billing.dispute (
    id      text COLLATE "C" PRIMARY KEY,        -- the gateway's own id
    payment uuid NOT NULL REFERENCES billing.payment (id),
    amount  bigint NOT NULL CHECK (amount > 0),
    status  text COLLATE "C" NOT NULL CHECK (status IN ('open', 'won', 'lost')),
    changed timestamptz NOT NULL DEFAULT now()
);

-- Webhooks that were heard: twice is once.
CREATE TABLE billing.gateway_event (
    id text COLLATE "C" PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE billing.plan (
    id       uuid PRIMARY KEY DEFAULT uuidv7(),
    patient  text COLLATE "C" NOT NULL,
    total    bigint NOT NULL CHECK (total > 0),
    currency text COLLATE "C" NOT NULL,
    status   text COLLATE "C" NOT NULL DEFAULT 'active'
             CHECK (status IN ('active', 'done', 'cancelled')),
    author   text COLLATE "C" NOT NULL,
    seq      bigint NOT NULL DEFAULT 0,          -- the last ledger entry before it began
    made     timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX one_active_plan ON billing.plan (patient) WHERE status = 'active';
CREATE TABLE billing.instalment (
    plan    uuid NOT NULL REFERENCES billing.plan (id),
    line    smallint NOT NULL,
    due     date NOT NULL,
    amount  bigint NOT NULL CHECK (amount > 0),
    PRIMARY KEY (plan, line)
);
