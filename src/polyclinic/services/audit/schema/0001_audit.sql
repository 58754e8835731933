-- The tree over everything that the services log. Rows are added and never changed: a superuser
-- can get around the triggers, and is found by `polyclinic audit verify`.
CREATE FUNCTION audit.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% of %.% is refused: rows here are only added', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END $$;

-- A leaf: the canonical bytes of one row of one trail, where it came from, and its hash.
-- What is a column beside them serves the searches and is compared with them.
CREATE TABLE audit.entry (
    seq        bigint PRIMARY KEY,
    source     text COLLATE "C" NOT NULL,
    generation integer NOT NULL,
    tx         bigint NOT NULL,
    position   bigint NOT NULL,
    at         timestamptz NOT NULL,
    patient    bigint,
    actor      text COLLATE "C" NOT NULL,
    leaf       bytea NOT NULL,
    body       bytea NOT NULL
);
-- One row of a trail is one leaf, however often it is told; and how far each trail was taken in.
CREATE UNIQUE INDEX entry_once ON audit.entry (source, generation, tx, position);
CREATE INDEX entry_patient ON audit.entry (patient, at DESC, seq DESC) WHERE patient IS NOT NULL;
CREATE INDEX entry_actor ON audit.entry (actor, at DESC, seq DESC);
CREATE INDEX entry_at ON audit.entry (at DESC, seq DESC);

-- The roots of complete subtrees of 256, 65,536 … leaves: what a root or a proof needs to be quick.
CREATE TABLE audit.node (
    level    smallint NOT NULL,
    position bigint NOT NULL,
    hash     bytea NOT NULL,
    PRIMARY KEY (level, position)
);

-- Signed notes as they went to the anchor file.
CREATE TABLE audit.checkpoint (
    size bigint PRIMARY KEY,
    at   timestamptz NOT NULL,
    note text NOT NULL
);

CREATE TRIGGER entry_is_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON audit.entry
    FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change();
CREATE TRIGGER node_is_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON audit.node
    FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change();
CREATE TRIGGER checkpoint_is_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON audit.checkpoint
    FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change();
