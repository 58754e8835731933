-- Work to do, and lists of scores with what people made of them. A person is a keyed pseudonym; ids
-- of RiskAssessments are keyed hashes too. No value of a chart, no name, no patient's id.

-- What changed in records and is to be looked at; a lease that ran out is anybody's.
CREATE TABLE insights.work (
    name    text COLLATE "C" PRIMARY KEY,        -- 'Observation/<id>', as the feed names it
    seq     bigint GENERATED ALWAYS AS IDENTITY,
    version integer NOT NULL,                    -- the newest that was told
    oldest  integer NOT NULL,                    -- the first that was told since it was last done
    since   timestamptz NOT NULL,                -- when the first of them happened
    next    timestamptz NOT NULL DEFAULT now(),
    tries   integer NOT NULL DEFAULT 0,
    parked  text COLLATE "C",                    -- why a person has to look; none while it goes on
    lease   uuid,
    leased_until timestamptz
) WITH (fillfactor = 60);
CREATE INDEX work_by_seq ON insights.work (seq) WHERE parked IS NULL;

-- A score as it stands in records, by the place that it takes in a list.
CREATE TABLE insights.assessment (
    id       uuid PRIMARY KEY,                   -- RiskAssessment/<id>: a keyed hash
    subject  bytea NOT NULL,                     -- keyed pseudonym
    method   text COLLATE "C" NOT NULL,          -- the calculator or model
    version  text COLLATE "C" NOT NULL,
    band     text COLLATE "C" NOT NULL,
    action   text COLLATE "C" NOT NULL,          -- what is proposed; empty: nothing
    urgency  smallint NOT NULL,                  -- of the action: 0 info, 1 warning, 2 critical
    benefit  double precision NOT NULL,          -- risk times actionability, 0 to 1
    changed  timestamptz NOT NULL DEFAULT now(),
    ended    timestamptz                         -- no longer true: an input is gone
);
CREATE INDEX assessment_by_benefit ON insights.assessment (benefit DESC, id)
    WHERE ended IS NULL AND action <> '';
CREATE INDEX assessment_of_subject ON insights.assessment (subject);

-- What people did with a line of the worklist. A line without a row is open.
CREATE TABLE insights.item (
    assessment uuid PRIMARY KEY REFERENCES insights.assessment (id),
    state   text COLLATE "C" NOT NULL CHECK (state IN ('accepted', 'snoozed', 'dismissed', 'done')),
    band    text COLLATE "C" NOT NULL,           -- when it was decided: another with more benefit
    benefit double precision NOT NULL,           -- opens it again
    owner   text COLLATE "C" NOT NULL,           -- account id
    due     date,
    until   timestamptz,                         -- at rest until then; none while it is accepted
    reason  text COLLATE "C" NOT NULL DEFAULT '',
    outcome text COLLATE "C" NOT NULL DEFAULT '',
    changed timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE insights.item_event (
    id      uuid PRIMARY KEY DEFAULT uuidv7(),
    assessment uuid NOT NULL REFERENCES insights.assessment (id),
    at      timestamptz NOT NULL DEFAULT now(),
    state   text COLLATE "C" NOT NULL,
    author  text COLLATE "C" NOT NULL,
    method  text COLLATE "C" NOT NULL,
    version text COLLATE "C" NOT NULL,
    band    text COLLATE "C" NOT NULL,
    reason  text COLLATE "C" NOT NULL DEFAULT '',
    outcome text COLLATE "C" NOT NULL DEFAULT ''
);
CREATE INDEX item_event_of ON insights.item_event (assessment, at);
CREATE INDEX item_event_by_age ON insights.item_event (at);

-- What was shown to whom, where; and what was held back, and why.
CREATE TABLE insights.exposure (
    id      uuid PRIMARY KEY DEFAULT uuidv7(),
    at      timestamptz NOT NULL DEFAULT now(),
    viewer  text COLLATE "C" NOT NULL,           -- keyed hash of an account or an EHR's user
    subject bytea NOT NULL,
    method  text COLLATE "C" NOT NULL,
    version text COLLATE "C" NOT NULL,
    band    text COLLATE "C" NOT NULL,
    place   text COLLATE "C" NOT NULL CHECK (place IN ('card', 'worklist', 'chart', 'patient')),
    held    text COLLATE "C" NOT NULL DEFAULT '' -- '' shown; 'hold-out', 'budget', 'repeat'
);
CREATE INDEX exposure_of_viewer ON insights.exposure (viewer, at DESC);
CREATE INDEX exposure_of_subject ON insights.exposure (subject, method, at DESC);
CREATE INDEX exposure_by_age ON insights.exposure (at);

-- What an EHR said about a card.
CREATE TABLE insights.feedback (
    id      uuid PRIMARY KEY DEFAULT uuidv7(),
    card    uuid NOT NULL,                       -- the exposure
    at      timestamptz NOT NULL,
    service text COLLATE "C" NOT NULL,
    issuer  text COLLATE "C" NOT NULL,
    outcome text COLLATE "C" NOT NULL CHECK (outcome IN ('accepted', 'overridden')),
    reason  text COLLATE "C" NOT NULL DEFAULT '', -- a code of ours; comments are not kept
    accepted text[] COLLATE "C" NOT NULL DEFAULT '{}',
    UNIQUE (card, outcome)
);

-- Proofs of EHRs that came already, until they end by themselves.
CREATE TABLE insights.proof (
    token bytea PRIMARY KEY,                     -- hash of issuer and jti
    until timestamptz NOT NULL
);
CREATE INDEX proof_by_age ON insights.proof (until);

-- How many of 100 are shown nothing, so that it can be seen whether showing helps. The last counts.
CREATE TABLE insights.hold_out (
    id      uuid PRIMARY KEY DEFAULT uuidv7(),
    at      timestamptz NOT NULL DEFAULT now(),
    percent integer NOT NULL CHECK (percent BETWEEN 0 AND 50),
    author  text COLLATE "C" NOT NULL,
    reason  text NOT NULL
);
