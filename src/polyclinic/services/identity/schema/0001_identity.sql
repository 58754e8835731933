-- What identity keeps. Secrets are stored as hashes or sealed; no column holds a readable name.

CREATE TABLE identity.data_key (
    owner       bytea PRIMARY KEY,
    id          bytea NOT NULL UNIQUE,
    generation  integer NOT NULL,
    wrapping    integer NOT NULL,
    wrapped     bytea NOT NULL,
    commitment  bytea NOT NULL
);

CREATE TABLE identity.account (
    id           uuid PRIMARY KEY,
    name_hash    bytea NOT NULL UNIQUE,  -- keyed: without the key a guess cannot be checked
    particulars  bytea NOT NULL,         -- sealed: user name, display name, person, Argon2id hash
    role         text NOT NULL,
    is_disabled  boolean NOT NULL DEFAULT false,
    version      bigint NOT NULL DEFAULT 1,
    created_at   timestamptz NOT NULL
);

-- A row a user name or address that was tried, known or not: both look alike.
CREATE TABLE identity.tries (
    subject       bytea PRIMARY KEY,
    count         integer NOT NULL,
    last_at       timestamptz NOT NULL,
    locked_until  timestamptz
);
CREATE INDEX ON identity.tries (last_at);

CREATE TABLE identity.session (
    hash          bytea PRIMARY KEY,
    account_id    uuid NOT NULL REFERENCES identity.account,
    signed_in_at  timestamptz NOT NULL,
    expires_at    timestamptz NOT NULL,
    ended_at      timestamptz
);
CREATE INDEX ON identity.session (expires_at);

CREATE TABLE identity.client (
    id          text PRIMARY KEY,
    kind        text NOT NULL,
    scopes      text[] NOT NULL,
    keys        text NOT NULL,           -- the public keys as a JSON array
    created_at  timestamptz NOT NULL
);

CREATE TABLE identity.authorization_grant (
    id            uuid PRIMARY KEY,
    account_id    uuid NOT NULL REFERENCES identity.account,
    client_id     text NOT NULL,
    session_hash  bytea NOT NULL,
    scopes        text[] NOT NULL,
    signed_in_at  timestamptz NOT NULL,
    expires_at    timestamptz NOT NULL,
    revoked_at    timestamptz
);
CREATE INDEX ON identity.authorization_grant (session_hash);
CREATE INDEX ON identity.authorization_grant (expires_at);

CREATE TABLE identity.code (
    hash          bytea PRIMARY KEY,
    client_id     text NOT NULL,
    account_id    uuid NOT NULL REFERENCES identity.account,
    session_hash  bytea NOT NULL,
    redirect_uri  text NOT NULL,
    challenge     text NOT NULL,
    scopes        text[] NOT NULL,
    nonce         text,
    signed_in_at  timestamptz NOT NULL,
    expires_at    timestamptz NOT NULL,
    used_at       timestamptz,
    grant_id      uuid NOT NULL          -- the grant that its exchange makes, known beforehand
);
CREATE INDEX ON identity.code (expires_at);

CREATE TABLE identity.refresh_token (
    hash        bytea PRIMARY KEY,
    grant_id    uuid NOT NULL REFERENCES identity.authorization_grant ON DELETE CASCADE,
    created_at  timestamptz NOT NULL,
    used_at     timestamptz
);
CREATE INDEX ON identity.refresh_token (grant_id);

-- An assertion or access token that must not count (again) before it would have expired anyway.
CREATE TABLE identity.spent (
    hash        bytea PRIMARY KEY,
    expires_at  timestamptz NOT NULL
);
CREATE INDEX ON identity.spent (expires_at);

CREATE TABLE identity.signing_key (
    generation  integer PRIMARY KEY,
    kid         text NOT NULL UNIQUE,
    public_x    text NOT NULL,
    sealed      bytea NOT NULL,
    created_at  timestamptz NOT NULL
);

-- What happened to sign-ins and tokens: append-only, ids only.
CREATE TABLE identity.security_event (
    id          uuid PRIMARY KEY,
    at          timestamptz NOT NULL,
    kind        text NOT NULL,
    account_id  uuid,
    client_id   text,
    source      bytea,                   -- keyed hash of the address
    request_id  text NOT NULL
);
CREATE INDEX ON identity.security_event (account_id, at);
