-- What is to be looked at later, though nothing will have changed by then: whether somebody will
-- come is asked a day before they should.
CREATE TABLE insights.due (
    name    text COLLATE "C" PRIMARY KEY,        -- 'Appointment/<id>'
    version integer NOT NULL,
    at      timestamptz NOT NULL
);
CREATE INDEX due_by_time ON insights.due (at);
