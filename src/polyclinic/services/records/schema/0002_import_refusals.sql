-- What a unit held that was not taken: a rerun says it again. Sealed, because reasons name ids.
-- Empty when all of it was taken, and for units imported before this step.
ALTER TABLE records.import_ledger ADD COLUMN refused bytea;
