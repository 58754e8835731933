-- How each Subscription stands. What it asks for, and in whose name, is sealed with its destination.
CREATE TABLE integration.subscription (
    id        uuid PRIMARY KEY REFERENCES integration.destination ON DELETE CASCADE,
    status    text COLLATE "C" NOT NULL CHECK (status IN ('requested', 'active', 'error', 'off')),
    shown     text COLLATE "C" NOT NULL,      -- what the FHIR resource says
    error     text COLLATE "C" NOT NULL DEFAULT '',
    said      bigint NOT NULL DEFAULT 0,      -- events since it began, without gaps
    heartbeat integer NOT NULL DEFAULT 0,
    heard     timestamptz NOT NULL DEFAULT now(),
    until     timestamptz
);
CREATE INDEX subscription_unshown ON integration.subscription (id) WHERE status <> shown;
