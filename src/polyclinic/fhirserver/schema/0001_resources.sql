-- Resources and all that finds them. Nothing here names a patient: ids are opaque or keyed hashes,
-- bodies are sealed. Applied to the schema of every service that mounts the FHIR server.

CREATE TABLE data_key (
    key_id     bytea PRIMARY KEY,
    owner      bytea NOT NULL,
    generation integer NOT NULL,
    wrapping   integer NOT NULL,
    wrapped    bytea NOT NULL,
    commitment bytea NOT NULL,
    UNIQUE (owner, generation)
);

-- A resource in several patients' compartments has a key of its own, wrapped once for each patient.
CREATE TABLE shared_key (
    key_id     bytea NOT NULL,
    holder     bytea NOT NULL REFERENCES data_key (key_id) ON DELETE CASCADE,
    wrapped    bytea NOT NULL,
    PRIMARY KEY (key_id, holder)
);

-- Each process takes a block of numbers at a time, so a pid is known before the row is written.
CREATE SEQUENCE pid_block AS bigint MINVALUE 0 START 1;

CREATE TABLE resource (
    pid      bigint PRIMARY KEY,
    updated  timestamptz NOT NULL,
    patient  bigint,
    at       timestamptz NOT NULL,
    labels   bigint NOT NULL DEFAULT 0,
    version  integer NOT NULL,
    type     smallint NOT NULL,
    method   "char" NOT NULL,
    id       text COLLATE "C" NOT NULL,
    others   bigint[],
    terms    bigint[] NOT NULL,
    envelope bytea
) WITH (fillfactor = 92, autovacuum_vacuum_insert_scale_factor = 0.05);
-- Sealed bytes do not compress; spare PostgreSQL the attempt.
ALTER TABLE resource ALTER COLUMN envelope SET STORAGE EXTERNAL;
ALTER TABLE resource ALTER COLUMN terms SET STATISTICS 0;

CREATE UNIQUE INDEX resource_by_id ON resource (type, id);
CREATE INDEX resource_by_type ON resource (type, pid DESC);
-- Without pid: what one Bundle wrote shares its time, and the index keeps such a time once.
CREATE INDEX resource_by_change ON resource (type, updated DESC);
CREATE INDEX resource_chart ON resource (patient, type, at DESC, pid DESC)
    WHERE patient IS NOT NULL;
-- fastupdate would make every search read the pending list and one unlucky writer flush it.
CREATE INDEX resource_terms ON resource USING gin (terms) WITH (fastupdate = off);

-- Versions that are no longer current. Access is judged by the version's own patients and labels.
CREATE TABLE version (
    pid      bigint NOT NULL,
    version  integer NOT NULL,
    updated  timestamptz NOT NULL,
    patient  bigint,
    labels   bigint NOT NULL DEFAULT 0,
    type     smallint NOT NULL,
    method   "char" NOT NULL,
    others   bigint[],
    terms    bigint[] NOT NULL DEFAULT '{}',
    envelope bytea,
    PRIMARY KEY (pid, version)
);
ALTER TABLE version ALTER COLUMN envelope SET STORAGE EXTERNAL;

CREATE TABLE posting (
    term bigint NOT NULL,
    pid  bigint NOT NULL
);
CREATE UNIQUE INDEX posting_newest ON posting (term, pid DESC);

CREATE TABLE date_range (
    param integer NOT NULL,
    low   timestamptz NOT NULL,
    high  timestamptz NOT NULL,
    pid   bigint NOT NULL
);
CREATE INDEX date_range_of ON date_range (pid, param);
CREATE INDEX date_range_low ON date_range (param, low DESC, pid DESC);

CREATE TABLE number_range (
    param integer NOT NULL,
    unit  bigint NOT NULL,
    low   double precision NOT NULL,
    high  double precision NOT NULL,
    pid   bigint NOT NULL
);
CREATE INDEX number_range_of ON number_range (pid, param);
CREATE INDEX number_range_low ON number_range (param, low);

-- How often a term occurs, roughly; only terms that are not rare stand here.
CREATE TABLE term_frequency (
    term  bigint PRIMARY KEY,
    count bigint NOT NULL
);

-- Who cares for whom: a clinician's Grant opens a chart only through a row here.
CREATE TABLE relation (
    practitioner bigint NOT NULL,
    patient      bigint NOT NULL,
    source       bytea NOT NULL,
    since        timestamptz,
    until        timestamptz,
    PRIMARY KEY (practitioner, patient, source)
);

CREATE TABLE conditional_claim (
    hash bytea PRIMARY KEY,
    at   timestamptz NOT NULL DEFAULT now()
);

-- One row per request and patient, written by the statement that reads or changes.
CREATE TABLE access_log (
    at      timestamptz NOT NULL DEFAULT now(),
    request uuid NOT NULL,
    patient bigint,
    count   integer NOT NULL DEFAULT 1,
    type    smallint NOT NULL,
    action  "char" NOT NULL,
    outcome smallint NOT NULL DEFAULT 0,
    actor   text COLLATE "C" NOT NULL,
    client  text COLLATE "C" NOT NULL,
    id      text COLLATE "C"
) PARTITION BY RANGE (at);
-- What no month's partition takes (a clock far off) is kept all the same.
CREATE TABLE access_log_rest PARTITION OF access_log DEFAULT;
CREATE INDEX access_log_time ON access_log USING brin (at);

-- The partition of a month, made when it is missing; the clock asks for this month and the next.
CREATE FUNCTION keep_log_month(day date) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    first date := date_trunc('month', day);
    name  text := 'access_log_' || to_char(first, 'YYYY_MM');
BEGIN
    EXECUTE format('CREATE TABLE IF NOT EXISTS %I PARTITION OF access_log FOR VALUES FROM (%L) TO (%L)',
                   name, first, first + interval '1 month');
END $$;
SELECT keep_log_month(current_date), keep_log_month((current_date + interval '1 month')::date);
