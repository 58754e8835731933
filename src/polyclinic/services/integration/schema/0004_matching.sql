-- Whom messages mean, and what became of what they ask. Numbers of other systems stand here as
-- keyed hashes only; ids of ours are opaque.

-- A number of another system (hash of system and value) and the patient it was found to name.
CREATE TABLE integration.crosswalk (
    number  bytea PRIMARY KEY,
    patient text COLLATE "C" NOT NULL,           -- 'Patient/<id>'
    message uuid NOT NULL,
    at      timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX crosswalk_of_patient ON integration.crosswalk (patient);

-- A message that waits because nobody but a person can say who is meant.
CREATE TABLE integration.question (
    message uuid PRIMARY KEY REFERENCES integration.message (id),
    person  bytea NOT NULL,                      -- hash of all that was said of the person
    reason  text COLLATE "C" NOT NULL,
    since   timestamptz NOT NULL DEFAULT now(),
    until   timestamptz
);
CREATE INDEX question_open ON integration.question (since, message) WHERE until IS NULL;
-- The charts that may be theirs, as they were weighed.
CREATE TABLE integration.candidate (
    message uuid NOT NULL REFERENCES integration.question (message),
    patient text COLLATE "C" NOT NULL,
    score   real NOT NULL,
    likes   text[] COLLATE "C" NOT NULL,         -- 'birth date: same'
    PRIMARY KEY (message, patient)
);
-- What people said, for ever: the same person is not asked about twice.
CREATE TABLE integration.told (
    person  bytea NOT NULL,
    patient text COLLATE "C" NOT NULL DEFAULT '',
    word    text COLLATE "C" NOT NULL CHECK (word IN ('same', 'different', 'new')),
    author  text COLLATE "C" NOT NULL,
    message uuid NOT NULL,
    at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (person, patient)
);
-- What a message waits for, hashed: an order, or a person's number. Whatever makes it wakes it.
CREATE TABLE integration.awaited (
    term    bytea NOT NULL,
    message uuid NOT NULL REFERENCES integration.message (id),
    PRIMARY KEY (term, message)
);
-- Results that a person filed although nobody knows their order.
CREATE TABLE integration.without_order (
    message uuid PRIMARY KEY REFERENCES integration.message (id),
    author  text COLLATE "C" NOT NULL,
    at      timestamptz NOT NULL DEFAULT now()
);

-- The newest rank of what was said again without a change, so that older news change nothing.
CREATE TABLE integration.confirmed (
    name text COLLATE "C" PRIMARY KEY,           -- 'Encounter/<id>'
    rank text[] COLLATE "C" NOT NULL,
    at   timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 70);

-- What an owner gave an id of its own: a charge by the sender's number for it (hashed).
CREATE TABLE integration.deed (
    key     bytea PRIMARY KEY,
    same    bytea NOT NULL,                      -- hash of what a reversal has in common with it
    target  text COLLATE "C" NOT NULL,           -- 'ChargeItem/<id>'
    message uuid NOT NULL,
    at      timestamptz NOT NULL DEFAULT now(),
    taken_back_by bytea UNIQUE                   -- the sender's number for the reversal (hashed)
);
CREATE INDEX deed_same ON integration.deed (same, at DESC) WHERE taken_back_by IS NULL;

-- Practitioners, places and kinds of visit as other systems call them; nothing of patients.
CREATE TABLE integration.directory (
    kind   text COLLATE "C" NOT NULL CHECK (kind IN ('practitioner', 'place', 'service')),
    system text COLLATE "C" NOT NULL,
    value  text COLLATE "C" NOT NULL,
    target text COLLATE "C" NOT NULL,            -- 'Practitioner/<id>', a site or a visit type
    author text COLLATE "C" NOT NULL,
    at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (kind, system, value)
);
