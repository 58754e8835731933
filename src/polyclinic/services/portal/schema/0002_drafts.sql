-- What somebody has filled in so far. The row's name is a hash of the draft and of who it belongs to,
-- so the table tells neither who writes nor what about; it is forgotten with its day.
CREATE TABLE portal.draft (
    id bytea PRIMARY KEY CHECK (octet_length(id) = 32),
    sealed bytea NOT NULL,
    ends_at timestamptz NOT NULL
);
CREATE INDEX ON portal.draft (ends_at);
