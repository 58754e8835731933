-- Events that wait beside their cause, their numbers once committed, and what was read of others.

CREATE TABLE outbox (
    position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id       uuid NOT NULL DEFAULT uuidv7(),
    tx       xid8 NOT NULL DEFAULT pg_current_xact_id(),
    at       timestamptz NOT NULL DEFAULT now(),
    kind     text NOT NULL,
    subject  text NOT NULL,
    data     bytea
);
CREATE INDEX outbox_tx ON outbox (tx);

-- One row: the last number given, and the snapshot up to which transactions are known to be over.
CREATE TABLE feed (
    one     boolean PRIMARY KEY DEFAULT true CHECK (one),
    epoch   uuid NOT NULL DEFAULT uuidv7(),
    cluster text NOT NULL DEFAULT '',
    seq     bigint NOT NULL DEFAULT 0,
    over    xid8 NOT NULL DEFAULT '0'
);
INSERT INTO feed DEFAULT VALUES;

-- Where an event goes once it has its number; the outbox holds only what waits for one.
CREATE TABLE feed_entry (
    seq     bigint PRIMARY KEY,
    id      uuid NOT NULL,
    at      timestamptz NOT NULL,
    kind    text NOT NULL,
    subject text NOT NULL,
    data    bytea
);

-- How far this service has read each other service's feed, and which replica reads at the moment.
CREATE TABLE reading (
    source text PRIMARY KEY,
    epoch  text NOT NULL DEFAULT '',
    seq    bigint NOT NULL DEFAULT 0,
    reader uuid,
    until  timestamptz NOT NULL DEFAULT '-infinity'
);

CREATE TABLE inbox (
    event uuid PRIMARY KEY,
    at    timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX inbox_at ON inbox USING brin (at);

-- Events whose effect failed again and again: kept, passed over, and tried anew when asked.
CREATE TABLE dead_letter (
    event  uuid PRIMARY KEY,
    at     timestamptz NOT NULL DEFAULT now(),
    source text NOT NULL,
    kind   text NOT NULL,
    told   bytea NOT NULL,
    reason text NOT NULL,
    tries  integer NOT NULL,
    done   timestamptz
);
