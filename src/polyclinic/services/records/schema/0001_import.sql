-- What was imported, by the hash of its content: a rerun passes over what is here.
CREATE TABLE records.import_ledger (
    hash      bytea PRIMARY KEY,
    source    text NOT NULL,
    resources integer NOT NULL,
    at        timestamptz NOT NULL DEFAULT now()
);
