-- The ledger of destroyed keys. A copy from before still has the key: a restore reads this ledger
-- from the newest copy and destroys the key again before anybody is served.
CREATE TABLE shredded (
    key_id bytea PRIMARY KEY,
    owner  bytea NOT NULL,
    at     timestamptz NOT NULL DEFAULT now()
);

CREATE FUNCTION note_shredded() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO shredded (key_id, owner) SELECT key_id, owner FROM gone ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;

CREATE TRIGGER data_key_shredded AFTER DELETE ON data_key
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION note_shredded();
