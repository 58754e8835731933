-- Channels, messages and what was made of them. Bytes of messages are sealed; what finds them is
-- opaque (ids of ours) or a keyed hash. A reader of these tables learns kinds, times and counts.

-- A channel as it is deployed now; every version that ever was stays.
CREATE TABLE integration.channel (
    name    text COLLATE "C" PRIMARY KEY,
    version integer NOT NULL,
    status  text COLLATE "C" NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'closed')),
    changed timestamptz NOT NULL DEFAULT now()
);
-- Sealed, because fixtures are messages and somebody will paste a real one.
CREATE TABLE integration.channel_version (
    name    text COLLATE "C" NOT NULL,
    version integer NOT NULL,
    digest  bytea NOT NULL,
    sealed  bytea NOT NULL,
    author  text COLLATE "C" NOT NULL,
    made    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (name, version)
);

-- A message as it came. `finds` are keyed hashes: control id, identifiers of patient and visit.
-- `sealed` is none once its time is over; that it came, and what it did, stays.
CREATE TABLE integration.message (
    id       uuid PRIMARY KEY,
    seq      bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    place    bigint,                             -- whose place it took: an edited copy, its parent's
    channel  text COLLATE "C" NOT NULL,
    version  integer NOT NULL,                   -- of the channel when it came
    way      text COLLATE "C" NOT NULL CHECK (way IN ('mllp', 'http', 'folder', 'hand')),
    kind     text COLLATE "C" NOT NULL,          -- 'ADT^A01'; empty where nothing can be read
    at       timestamptz NOT NULL,
    answer   text COLLATE "C" NOT NULL,          -- 'AA', 'AA 201': the ACK can be made again
    state    text COLLATE "C" NOT NULL CHECK (state IN (
        'received', 'failed', 'waiting', 'parked', 'done', 'ignored', 'skipped', 'replaced')),
    reason   text COLLATE "C" NOT NULL DEFAULT '',
    problem  text NOT NULL DEFAULT '',           -- a sentence without patient data
    tries    integer NOT NULL DEFAULT 0,
    failures integer NOT NULL DEFAULT 0,         -- in a row, since a person last had it tried again
    keys     bigint[] NOT NULL,                  -- whose turn it is: keyed hashes
    finds    bigint[] NOT NULL,
    patients text[] COLLATE "C" NOT NULL DEFAULT '{}',
    parent   uuid REFERENCES integration.message (id),
    changed  timestamptz NOT NULL DEFAULT now(),
    sealed   bytea
) WITH (fillfactor = 80);
ALTER TABLE integration.message ALTER COLUMN sealed SET STORAGE EXTERNAL;
CREATE INDEX message_by_state ON integration.message (state, seq DESC);
CREATE INDEX message_by_channel ON integration.message (channel, seq DESC);
CREATE INDEX message_finds ON integration.message USING gin (finds) WITH (fastupdate = off);
CREATE INDEX message_of_parent ON integration.message (parent) WHERE parent IS NOT NULL;

-- (channel, MSH-3, MSH-4, MSH-10) of the last days, hashed: a repetition has no second effect.
CREATE TABLE integration.seen (
    key     bytea PRIMARY KEY,
    digest  bytea NOT NULL,
    message uuid NOT NULL,
    at      timestamptz NOT NULL
);
CREATE INDEX seen_by_age ON integration.seen (at);

-- What is to be worked on. A lease that ran out is anybody's.
CREATE TABLE integration.queue (
    message uuid PRIMARY KEY REFERENCES integration.message (id),
    seq     bigint NOT NULL,
    next    timestamptz NOT NULL DEFAULT now(),
    lease   uuid,
    leased_until timestamptz
) WITH (fillfactor = 60);
CREATE INDEX queue_by_seq ON integration.queue (seq);
-- Who stands before whom: the oldest unfinished message of a key is the only one of it at work.
CREATE TABLE integration.turn (
    key     bigint NOT NULL,
    seq     bigint NOT NULL,
    message uuid NOT NULL REFERENCES integration.message (id),
    PRIMARY KEY (key, seq)
);
CREATE INDEX turn_of_message ON integration.turn (message);

-- What was made of a message: its translation with the trace, sealed as the message is.
CREATE TABLE integration.stage (
    message uuid NOT NULL REFERENCES integration.message (id),
    try     integer NOT NULL,
    at      timestamptz NOT NULL DEFAULT now(),
    version integer NOT NULL,                    -- of the channel that made it
    sealed  bytea NOT NULL,
    PRIMARY KEY (message, try)
);
-- What owners did for it: ids and versions, opaque.
CREATE TABLE integration.effect (
    message uuid NOT NULL REFERENCES integration.message (id),
    name    text COLLATE "C" NOT NULL,           -- 'Patient/<id>'
    version text COLLATE "C" NOT NULL DEFAULT '',
    did     text COLLATE "C" NOT NULL,
    at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (message, name, version)
);
CREATE INDEX effect_by_name ON integration.effect (name);
-- What people did with it.
CREATE TABLE integration.message_event (
    message uuid NOT NULL REFERENCES integration.message (id),
    id      uuid NOT NULL DEFAULT uuidv7(),
    at      timestamptz NOT NULL DEFAULT now(),
    kind    text COLLATE "C" NOT NULL,
    author  text COLLATE "C" NOT NULL,
    reason  text NOT NULL DEFAULT '',
    PRIMARY KEY (message, id)
);

-- What somebody should look at: a channel that is silent, control ids that are used again.
CREATE TABLE integration.alert (
    id      uuid PRIMARY KEY DEFAULT uuidv7(),
    channel text COLLATE "C" NOT NULL,
    kind    text COLLATE "C" NOT NULL,
    since   timestamptz NOT NULL DEFAULT now(),
    last    timestamptz NOT NULL DEFAULT now(),
    count   bigint NOT NULL DEFAULT 1,
    until   timestamptz,
    ended_by text COLLATE "C"
);
CREATE UNIQUE INDEX one_open_alert ON integration.alert (channel, kind) WHERE until IS NULL;
