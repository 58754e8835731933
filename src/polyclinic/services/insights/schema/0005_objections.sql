-- Who does not want to be learned from or scored, as their Consents in records say.
CREATE TABLE insights.objection (
    subject  bytea PRIMARY KEY,                  -- keyed pseudonym, as in assessment
    learning boolean NOT NULL,
    scoring  boolean NOT NULL,
    since    timestamptz NOT NULL DEFAULT now()
);
