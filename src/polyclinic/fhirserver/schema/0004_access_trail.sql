-- The order in which the log is handed on, written by the statement that writes the row.
-- Rows of before get their place as they lie: this rewrites the log once.
CREATE SEQUENCE access_position AS bigint CACHE 64;
ALTER TABLE access_log
    ADD COLUMN position bigint NOT NULL DEFAULT nextval('access_position'),
    ADD COLUMN tx xid8 NOT NULL DEFAULT pg_current_xact_id();
CREATE INDEX access_log_order ON access_log (tx, position);
