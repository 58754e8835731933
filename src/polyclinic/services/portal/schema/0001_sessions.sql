-- Browser sessions. What opens `sealed` is made from the cookie, which is not kept here: a reader of
-- this table, even with the root key, cannot use anybody's tokens.
CREATE TABLE portal.session (
    id bytea PRIMARY KEY CHECK (octet_length(id) = 32),
    sealed bytea NOT NULL,
    subject text NOT NULL,
    started_at timestamptz NOT NULL,
    seen_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL
);
CREATE INDEX ON portal.session (ends_at);

CREATE TABLE portal.preference (
    subject text PRIMARY KEY,
    theme text NOT NULL CHECK (theme IN ('light', 'dark', 'system'))
);
