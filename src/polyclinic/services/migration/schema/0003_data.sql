-- What was moved and how far: keyed hashes of the old system's keys, ids of ours, and digests. No
-- value out of the old system stands here.

CREATE TABLE migration.source (
    system   text COLLATE "C" PRIMARY KEY,
    version  integer NOT NULL,
    document bytea NOT NULL,                     -- tables and columns, as YAML
    url      text NOT NULL,                      -- of the old system's database, without a password
    author   text COLLATE "C" NOT NULL,
    made     timestamptz NOT NULL DEFAULT now(),
    log_seq  bigint NOT NULL DEFAULT 0           -- up to here the source's log was followed
);
CREATE TABLE migration.pair (
    system    text COLLATE "C" NOT NULL REFERENCES migration.source,
    name      text COLLATE "C" NOT NULL,
    place     integer NOT NULL,
    direction text COLLATE "C" NOT NULL DEFAULT 'off'
        CHECK (direction IN ('off', 'forward', 'both')),
    filled    boolean NOT NULL DEFAULT false,    -- all rows were looked at; digests say which again
    changed   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (system, name)
);
CREATE TABLE migration.crosswalk (
    system   text COLLATE "C" NOT NULL,
    pair     text COLLATE "C" NOT NULL,
    key      bytea NOT NULL,                     -- keyed hash of the row's key
    resource text COLLATE "C" NOT NULL,          -- id of ours
    version  integer NOT NULL,                   -- that we wrote or saw last
    digest   bytea NOT NULL,                     -- of the row as it was then
    at       timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (system, pair, key)
);
CREATE UNIQUE INDEX crosswalk_resource ON migration.crosswalk (system, pair, resource);
-- Rows that were not taken over, and why; gone as soon as they are.
CREATE TABLE migration.quarantine (
    system text COLLATE "C" NOT NULL,
    pair   text COLLATE "C" NOT NULL,
    key    bytea NOT NULL,
    way    text COLLATE "C" NOT NULL CHECK (way IN ('forward', 'back')),
    place  text COLLATE "C" NOT NULL,            -- a column or an element
    reason text COLLATE "C" NOT NULL,
    at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (system, pair, key, way)
);
CREATE TABLE migration.reconciliation (
    id      uuid PRIMARY KEY,
    system  text COLLATE "C" NOT NULL,
    at      timestamptz NOT NULL DEFAULT now(),
    author  text COLLATE "C" NOT NULL,
    report  bytea NOT NULL                       -- counts by pair and column
);
