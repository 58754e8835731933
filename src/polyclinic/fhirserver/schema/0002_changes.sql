-- The history of a type walks past versions by the time of their change, as it walks current ones.
CREATE INDEX version_by_change ON version (type, updated DESC, pid DESC, version DESC);
