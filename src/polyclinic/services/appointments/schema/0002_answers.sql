-- Answers of repeated requests now stand where every service keeps them (foundation/once). Those of
-- the last days move along.
INSERT INTO appointments.answered (name, body, status, answer, at)
SELECT name, body, status, answer, at FROM appointments.idempotency
ON CONFLICT (name) DO NOTHING;
COMMENT ON TABLE appointments.idempotency IS 'Kept for a process of the release before 0002.';
