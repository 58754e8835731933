-- What is known of a system that a clinic leaves, the plan of leaving it, and who decided what.
-- Names of tables, templates of addresses and counts: no value out of the old system stands here.

-- An old system by its own name.
CREATE TABLE migration.inventory (
    name   text COLLATE "C" PRIMARY KEY,
    title  text NOT NULL,
    author text COLLATE "C" NOT NULL,
    made   timestamptz NOT NULL DEFAULT now()
);
-- What one source showed: an OpenAPI page, a HAR, a log, a database, a folder of CSV files.
CREATE TABLE migration.finding (
    id        uuid PRIMARY KEY,
    inventory text COLLATE "C" NOT NULL REFERENCES migration.inventory,
    source    text COLLATE "C" NOT NULL,
    digest    bytea NOT NULL,
    document  bytea NOT NULL,
    author    text COLLATE "C" NOT NULL,
    made      timestamptz NOT NULL DEFAULT now(),
    UNIQUE (inventory, source, digest)
);
-- What the old system does, as the findings show it now; `service` is ours, null for a gap.
CREATE TABLE migration.capability (
    inventory text COLLATE "C" NOT NULL REFERENCES migration.inventory,
    name      text COLLATE "C" NOT NULL,
    service   text COLLATE "C",
    confirmed boolean NOT NULL DEFAULT false,
    document  bytea NOT NULL,
    changed   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (inventory, name)
);
-- Every plan that was ever made, with all that went into it.
CREATE TABLE migration.plan (
    inventory text COLLATE "C" NOT NULL REFERENCES migration.inventory,
    version   integer NOT NULL,
    author    text COLLATE "C" NOT NULL,
    made      timestamptz NOT NULL DEFAULT now(),
    document  bytea NOT NULL,
    PRIMARY KEY (inventory, version)
);
-- What people decided, each with the hash of the one before; rows are added and never changed.
CREATE TABLE migration.decision (
    number   bigint PRIMARY KEY,
    at       timestamptz NOT NULL,
    author   text COLLATE "C" NOT NULL,
    kind     text COLLATE "C" NOT NULL,
    subject  text COLLATE "C" NOT NULL,
    text     text NOT NULL,
    document bytea NOT NULL,
    digest   bytea NOT NULL
);
CREATE INDEX decision_subject ON migration.decision (subject, number);
CREATE FUNCTION migration.decisions_stay() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'a decision is never changed'; END $$;
CREATE TRIGGER decisions_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON migration.decision
    EXECUTE FUNCTION migration.decisions_stay();
