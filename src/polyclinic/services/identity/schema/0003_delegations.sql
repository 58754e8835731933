-- What a client let a service of ours ask in its name, until it is withdrawn.
CREATE TABLE identity.delegation (
    hash        bytea PRIMARY KEY,
    service     text NOT NULL,
    client_id   text NOT NULL,
    scopes      text[] NOT NULL,
    created_at  timestamptz NOT NULL
);
