-- Models with all that became of them, and the events that they learn from. Events have a pseudonym
-- of their own and moved dates: nothing here leads from them to scores or to lists.

-- Whose names are in use: a new generation gives everybody another one as they are read again.
CREATE TABLE insights.generation (
    number integer PRIMARY KEY,
    began  timestamptz NOT NULL DEFAULT now(),
    author text COLLATE "C" NOT NULL
);
INSERT INTO insights.generation (number, author) VALUES (1, 'polyclinic');

-- MEDS: subject, time, code, numeric_value. No text; both times moved by the subject's own constant.
CREATE TABLE insights.event (
    generation integer NOT NULL,
    subject    bytea NOT NULL,                   -- keyed pseudonym, used for nothing else
    source     bytea NOT NULL,                   -- keyed: which resource said it
    time       timestamptz NOT NULL,
    known_at   timestamptz NOT NULL,
    code       text COLLATE "C" NOT NULL,
    numeric_value double precision,
    unit       text COLLATE "C" NOT NULL         -- of the platform's UCUM table, or empty
);
CREATE INDEX event_of_subject ON insights.event (subject, time);
CREATE INDEX event_of_source ON insights.event (source);

CREATE TABLE insights.model (
    model     text COLLATE "C" NOT NULL,
    version   text COLLATE "C" NOT NULL,
    task      text COLLATE "C" NOT NULL,
    state     text COLLATE "C" NOT NULL CHECK (state IN
        ('draft', 'shadow', 'canary', 'champion', 'former', 'withdrawn', 'retired')),
    content   bytea NOT NULL,                    -- plain data (JSON), nothing that is run
    digest    bytea NOT NULL,                    -- SHA-256 of it
    signature bytea NOT NULL,                    -- HMAC of digest, name and task
    record    bytea NOT NULL,                    -- what is said of it, JSON: the card is made of it
    features  text[] COLLATE "C" NOT NULL,       -- what it is made of, by name
    fallback  text COLLATE "C" NOT NULL,         -- the calculator that speaks in its stead
    team      text[] COLLATE "C" NOT NULL DEFAULT '{}',
    threshold double precision NOT NULL,         -- from which chance on something is proposed
    author    text COLLATE "C" NOT NULL,
    since     timestamptz NOT NULL DEFAULT now(),
    proven_from timestamptz NOT NULL DEFAULT now(), -- outcomes count from then on
    expires   timestamptz NOT NULL,
    scored    integer NOT NULL DEFAULT 0,
    baseline  integer,                           -- how many of these are what is usual
    PRIMARY KEY (model, version)
);
CREATE UNIQUE INDEX model_champion ON insights.model (task) WHERE state = 'champion';

-- Every step, by whom, why, and what the gates said; nothing is changed or deleted here.
CREATE TABLE insights.model_step (
    id      uuid PRIMARY KEY DEFAULT uuidv7(),
    at      timestamptz NOT NULL DEFAULT now(),
    model   text COLLATE "C" NOT NULL,
    version text COLLATE "C" NOT NULL,
    step    text COLLATE "C" NOT NULL,
    before  text COLLATE "C" NOT NULL,
    after   text COLLATE "C" NOT NULL,
    author  text COLLATE "C" NOT NULL,           -- account id, or 'polyclinic' by itself
    reason  text NOT NULL,
    facts   bytea NOT NULL                       -- JSON: gates, drifts; numbers of groups only
);
CREATE INDEX model_step_of ON insights.model_step (model, version, id);

CREATE TABLE insights.proposal (
    id      uuid PRIMARY KEY DEFAULT uuidv7(),
    model   text COLLATE "C" NOT NULL,
    version text COLLATE "C" NOT NULL,
    goal    text COLLATE "C" NOT NULL,
    team    text[] COLLATE "C" NOT NULL DEFAULT '{}',
    author  text COLLATE "C" NOT NULL,
    at      timestamptz NOT NULL DEFAULT now(),
    closed  timestamptz
);
CREATE UNIQUE INDEX proposal_open ON insights.proposal (model, version) WHERE closed IS NULL;
CREATE TABLE insights.signature (
    proposal uuid NOT NULL REFERENCES insights.proposal (id),
    signer  text COLLATE "C" NOT NULL,
    role    text COLLATE "C" NOT NULL,
    at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (proposal, signer)
);

-- What a model foretold, shown or not, and whether it came. No value that it was made of.
CREATE TABLE insights.score (
    model    text COLLATE "C" NOT NULL,
    version  text COLLATE "C" NOT NULL,
    occasion bytea NOT NULL,                     -- keyed: the discharge or visit that it is about
    subject  bytea NOT NULL,                     -- keyed, another pseudonym than the events'
    task     text COLLATE "C" NOT NULL,
    at       timestamptz NOT NULL,               -- the index time
    matures  timestamptz NOT NULL,               -- from then on that it did not come is known
    chance   double precision,                   -- none: the row was strange, and nothing was said
    shown    boolean NOT NULL,
    groups   text[] COLLATE "C" NOT NULL,        -- 'sex female', 'age 65-79': is it fair?
    outcome  smallint,
    PRIMARY KEY (model, version, occasion)
);
CREATE INDEX score_open ON insights.score (subject, task) WHERE outcome IS NULL;
CREATE INDEX score_by_maturity ON insights.score (matures) WHERE outcome IS NULL;
CREATE INDEX score_by_time ON insights.score (model, version, at);

-- How values are spread, by bins of 20 % width and 25 people: nobody's value is kept.
CREATE TABLE insights.sketch (
    model   text COLLATE "C" NOT NULL,
    version text COLLATE "C" NOT NULL,
    chunk   integer NOT NULL,
    feature text COLLATE "C" NOT NULL,
    bin     text COLLATE "C" NOT NULL,
    count   integer NOT NULL,
    PRIMARY KEY (model, version, chunk, feature, bin)
);
