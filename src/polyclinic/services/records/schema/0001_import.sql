-- What was imported, by the hash of its content: a rerun passes over what is here. No file names:
-- people name files after patients.
CREATE TABLE records.import_ledger (
    hash      bytea PRIMARY KEY,
    resources integer NOT NULL,
    at        timestamptz NOT NULL DEFAULT now()
);
