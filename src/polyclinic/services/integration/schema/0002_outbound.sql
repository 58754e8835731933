-- Who is told of events, what is on its way to whom, and every attempt. Addresses, headers and
-- secrets are sealed; an event is ids only, as its own service told it.

CREATE TABLE integration.destination (
    id          uuid PRIMARY KEY,
    kind        text COLLATE "C" NOT NULL CHECK (kind IN ('webhook', 'subscription', 'hl7v2')),
    status      text COLLATE "C" NOT NULL CHECK (status IN ('active', 'disabled')),
    reason      text COLLATE "C" NOT NULL DEFAULT '',
    kinds       text[] COLLATE "C" NOT NULL,  -- `AppointmentBooked`, `ResourceUpdated:Patient`
    sealed      bytea NOT NULL,
    version     integer NOT NULL DEFAULT 1,
    owner       text COLLATE "C" NOT NULL,    -- the account or client that asked for it
    since       timestamptz NOT NULL DEFAULT now(),
    -- The circuit breaker: failures in a row, and until when nothing at all is sent.
    failures    integer NOT NULL DEFAULT 0,
    failing     timestamptz,
    rests_until timestamptz NOT NULL DEFAULT '-infinity',
    made        timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX destination_active ON integration.destination (kind) WHERE status = 'active';

CREATE TABLE integration.delivery (
    id          uuid PRIMARY KEY DEFAULT uuidv7(),  -- the receiver's webhook-id
    number      bigint GENERATED ALWAYS AS IDENTITY,
    destination uuid NOT NULL REFERENCES integration.destination ON DELETE CASCADE,
    event       uuid NOT NULL,
    source      text COLLATE "C" NOT NULL,
    kind        text COLLATE "C" NOT NULL,
    subject     text COLLATE "C" NOT NULL,
    at          timestamptz NOT NULL,
    data        bytea NOT NULL,
    key         text COLLATE "C" NOT NULL,          -- what is said of it arrives in order
    state       text COLLATE "C" NOT NULL DEFAULT 'waiting'
                CHECK (state IN ('waiting', 'sent', 'skipped', 'dead')),
    attempts    integer NOT NULL DEFAULT 0,
    next_at     timestamptz NOT NULL DEFAULT now(),
    taken_until timestamptz NOT NULL DEFAULT '-infinity',
    taker       uuid,
    said        bigint,                             -- a subscription's own number of the event
    ended       timestamptz,
    UNIQUE (destination, event)
);
CREATE INDEX delivery_due ON integration.delivery (destination, next_at) WHERE state = 'waiting';
CREATE INDEX delivery_key ON integration.delivery (destination, key, number) WHERE state = 'waiting';
CREATE INDEX delivery_listed ON integration.delivery (destination, number DESC);
CREATE INDEX delivery_ended ON integration.delivery (ended) WHERE ended IS NOT NULL;
CREATE UNIQUE INDEX delivery_said ON integration.delivery (destination, said) WHERE said IS NOT NULL;

-- The log: status 0 where there was no answer; never a word of what the other side said.
CREATE TABLE integration.attempt (
    delivery    uuid NOT NULL REFERENCES integration.delivery ON DELETE CASCADE,
    number      integer NOT NULL,
    at          timestamptz NOT NULL DEFAULT now(),
    status      integer NOT NULL,
    reason      text COLLATE "C" NOT NULL,
    ms          integer NOT NULL,
    PRIMARY KEY (delivery, number, at)
);
