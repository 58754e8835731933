-- The order in which security events are handed on.
CREATE SEQUENCE identity.security_position AS bigint CACHE 64;
ALTER TABLE identity.security_event
    ADD COLUMN position bigint NOT NULL DEFAULT nextval('identity.security_position'),
    ADD COLUMN tx xid8 NOT NULL DEFAULT pg_current_xact_id();
CREATE INDEX security_event_order ON identity.security_event (tx, position);
