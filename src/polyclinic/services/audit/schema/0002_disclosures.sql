-- The ledger of disclosures (45 CFR 164.528): written down when something leaves, never guessed from
-- access logs. Who received what and why is sealed under the patient's key; rows are only added.
CREATE SEQUENCE audit.disclosure_position AS bigint CACHE 64;
CREATE TABLE audit.disclosure (
    id       uuid PRIMARY KEY,
    patient  bigint NOT NULL,
    day      date NOT NULL,
    basis    text NOT NULL,
    made_by  text NOT NULL CHECK (made_by IN ('CE', 'BA')),
    series   uuid,
    protocol text,
    at       timestamptz NOT NULL DEFAULT now(),
    actor    text COLLATE "C" NOT NULL,
    envelope bytea NOT NULL,
    position bigint NOT NULL DEFAULT nextval('audit.disclosure_position'),
    tx       xid8 NOT NULL DEFAULT pg_current_xact_id()
);
CREATE INDEX disclosure_patient ON audit.disclosure (patient, day);
CREATE INDEX disclosure_order ON audit.disclosure (tx, position);

-- An agency asked that a patient be not told for a time; an oral request counts for 30 days.
CREATE TABLE audit.suppression (
    id         uuid PRIMARY KEY,
    disclosure uuid NOT NULL REFERENCES audit.disclosure,
    until      date NOT NULL,
    statement  text NOT NULL CHECK (statement IN ('written', 'oral')),
    at         timestamptz NOT NULL DEFAULT now(),
    actor      text COLLATE "C" NOT NULL,
    position   bigint NOT NULL DEFAULT nextval('audit.disclosure_position'),
    tx         xid8 NOT NULL DEFAULT pg_current_xact_id()
);
CREATE INDEX suppression_order ON audit.suppression (tx, position);
CREATE INDEX suppression_of ON audit.suppression (disclosure);

CREATE TRIGGER disclosure_is_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON audit.disclosure
    FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change();
CREATE TRIGGER suppression_is_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON audit.suppression
    FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change();
