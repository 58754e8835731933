-- What a card rests on, as a keyed hash: what is critical is shown again once that has changed.
ALTER TABLE insights.exposure ADD COLUMN basis bytea NOT NULL DEFAULT '';
