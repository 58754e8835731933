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
