-- The answer of a request that may be repeated. `name` is a hash of caller and key: a client's key
-- may say anything. An answer holds ids, states and amounts, never what a chart says.
CREATE TABLE answered (
    name   bytea PRIMARY KEY,
    body   bytea NOT NULL,
    status smallint,
    answer bytea,
    at     timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX answered_at ON answered USING brin (at);
