-- Who answers what during a migration, what the two sides said differently, and what became of it.
-- Units, visits and keys stand as keyed hashes; values out of answers stand sealed.

-- How far each capability has come; every version that ever was stays.
CREATE TABLE migration.route_rule (
    serial     bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    capability text COLLATE "C" NOT NULL,
    version    integer NOT NULL,
    mode       text COLLATE "C" NOT NULL,
    percent    smallint NOT NULL,
    document   bytea NOT NULL,
    author     text COLLATE "C" NOT NULL,
    reason     text NOT NULL,
    made       timestamptz NOT NULL,
    -- Since when the mode, the percentage and the epoch are what they are.
    since      timestamptz NOT NULL,
    PRIMARY KEY (capability, version)
);
-- What a visit was promised: it holds until nobody has asked for a while.
CREATE TABLE migration.promise (
    visit      bytea PRIMARY KEY,
    unit       bytea NOT NULL,
    side       text COLLATE "C" NOT NULL,
    until      timestamptz NOT NULL,
    written    timestamptz
);
CREATE INDEX promise_until ON migration.promise (until);
CREATE INDEX promise_written ON migration.promise (unit) WHERE written IS NOT NULL;
-- Where a change with an Idempotency-Key was sent first; its repetitions go there too.
CREATE TABLE migration.sent (
    key  bytea PRIMARY KEY,
    side text COLLATE "C" NOT NULL,
    at   timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX sent_at ON migration.sent (at);
-- What was counted in ten seconds, over all replicas.
CREATE TABLE migration.tally (
    capability text COLLATE "C" NOT NULL,
    side       text COLLATE "C" NOT NULL,
    at         timestamptz NOT NULL,
    requests   integer NOT NULL DEFAULT 0,
    failed     integer NOT NULL DEFAULT 0,
    slow       integer NOT NULL DEFAULT 0,
    compared   integer NOT NULL DEFAULT 0,
    mismatched integer NOT NULL DEFAULT 0,
    dropped    integer NOT NULL DEFAULT 0,
    PRIMARY KEY (capability, side, at)
);
CREATE INDEX tally_at ON migration.tally (at);
-- Who still used the old side, by day: `route`, `feed` or `credential` (a keyed hash).
CREATE TABLE migration.legacy_use (
    capability text COLLATE "C" NOT NULL,
    kind       text COLLATE "C" NOT NULL CHECK (kind IN ('route', 'feed', 'credential')),
    name       text COLLATE "C" NOT NULL,
    day        date NOT NULL,
    count      bigint NOT NULL,
    PRIMARY KEY (capability, day, kind, name)
);
-- Differences of one route, path and kind, and what a person decided about them.
CREATE TABLE migration.difference (
    id         uuid PRIMARY KEY,
    capability text COLLATE "C" NOT NULL,
    route      text COLLATE "C" NOT NULL,
    path       text COLLATE "C" NOT NULL,
    kind       text COLLATE "C" NOT NULL,
    severity   smallint NOT NULL,
    seen       bigint NOT NULL DEFAULT 0,
    wavering   bigint NOT NULL DEFAULT 0,
    first_at   timestamptz NOT NULL,
    last_at    timestamptz NOT NULL,
    owner      text COLLATE "C",
    verdict    text COLLATE "C" CHECK (verdict IN ('bug-new', 'bug-legacy', 'expected', 'noise')),
    until      timestamptz,
    note       text,
    UNIQUE (capability, route, path, kind)
);
CREATE TABLE migration.difference_example (
    difference uuid NOT NULL REFERENCES migration.difference ON DELETE CASCADE,
    number     smallint NOT NULL,
    at         timestamptz NOT NULL,
    sealed     bytea NOT NULL,
    PRIMARY KEY (difference, number)
);
-- How often the old side, asked twice, did not say the same.
CREATE TABLE migration.wavering (
    capability text COLLATE "C" NOT NULL,
    route      text COLLATE "C" NOT NULL,
    path       text COLLATE "C" NOT NULL,
    differed   bigint NOT NULL DEFAULT 0,
    asked      bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (capability, route, path)
);
-- A rollout that was held or sent back, with the numbers that were the reason.
CREATE TABLE migration.incident (
    id         uuid PRIMARY KEY,
    capability text COLLATE "C" NOT NULL,
    kind       text COLLATE "C" NOT NULL CHECK (kind IN ('held', 'sent back')),
    at         timestamptz NOT NULL,
    version    integer NOT NULL,
    percent    smallint NOT NULL,
    evidence   bytea NOT NULL
);
CREATE INDEX incident_capability ON migration.incident (capability, at);
-- What people said of a capability, and which side they had used; their words are sealed.
CREATE TABLE migration.feedback (
    id         uuid PRIMARY KEY,
    capability text COLLATE "C" NOT NULL,
    side       text COLLATE "C" NOT NULL,
    liked      boolean,
    effort     smallint CHECK (effort BETWEEN 1 AND 7),
    request    text COLLATE "C",
    sealed     bytea,
    at         timestamptz NOT NULL
);
CREATE INDEX feedback_capability ON migration.feedback (capability, at);
