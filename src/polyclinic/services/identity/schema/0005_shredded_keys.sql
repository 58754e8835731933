-- The ledger of destroyed keys, which a restore of an older copy follows (see foundation/backup).
CREATE TABLE identity.shredded (
    key_id bytea PRIMARY KEY,
    owner  bytea NOT NULL,
    at     timestamptz NOT NULL DEFAULT now()
);

CREATE FUNCTION identity.note_shredded() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO identity.shredded (key_id, owner) SELECT id, owner FROM gone ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;

CREATE TRIGGER data_key_shredded AFTER DELETE ON identity.data_key
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION identity.note_shredded();
