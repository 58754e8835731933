-- What is being learned, and what became of it: kept, so that a restart goes on with it.
CREATE TABLE insights.lesson (
    id       uuid PRIMARY KEY DEFAULT uuidv7(),
    task     text COLLATE "C" NOT NULL,
    model    text COLLATE "C" NOT NULL,
    version  text COLLATE "C" NOT NULL,
    fallback text COLLATE "C" NOT NULL,
    author   text COLLATE "C" NOT NULL,          -- account id
    at       timestamptz NOT NULL DEFAULT now(),
    state    text COLLATE "C" NOT NULL DEFAULT 'waiting'
        CHECK (state IN ('waiting', 'learning', 'done', 'refused')),
    percent  smallint NOT NULL DEFAULT 0,
    words    text NOT NULL DEFAULT '',           -- what it is at, or why there is no model
    tries    integer NOT NULL DEFAULT 0,
    lease    uuid,
    leased_until timestamptz,
    ended    timestamptz
);
CREATE UNIQUE INDEX lesson_open ON insights.lesson (model, version) WHERE ended IS NULL;
CREATE INDEX lesson_by_age ON insights.lesson (at DESC);

-- How well an attacker tells who was among those learned from (0.5: not at all); none: not measured.
ALTER TABLE insights.model ADD COLUMN membership double precision;
