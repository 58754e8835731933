-- What was put aside says what it waits for, and is asked again when that came about.
ALTER TABLE migration.pair
    ADD stirred bigint NOT NULL DEFAULT 0;       -- raised when rows of it that wait may go on
ALTER TABLE migration.quarantine
    ADD sealed bytea,                            -- on the way here: the row's key, to ask for it
    ADD seen bigint,                             -- its pair's `stirred` when it was asked last
    ADD due timestamptz,                         -- when it is asked again in any case
    -- On the way back: the resource that must be known to the old system first, and when that was
    -- noted last, as of when this one was asked.
    ADD awaits_pair text COLLATE "C",
    ADD awaits text COLLATE "C",
    ADD stood timestamptz;
-- What was put aside before is asked once, and says then what it waits for.
UPDATE migration.pair SET filled = false;
UPDATE migration.quarantine SET due = now()
WHERE way = 'back' AND reason = 'the old system does not know whom';
