-- Enhanced mode: a sender that got an accept acknowledgement (CA) and asked in MSH-16 for that of the
-- application as well is owed a second one, once what the message means was done or refused.

CREATE TABLE integration.second_answer (
    message uuid PRIMARY KEY REFERENCES integration.message (id),
    about   uuid NOT NULL REFERENCES integration.message (id), -- whose end counts: a mended copy's
    wanted  text COLLATE "C" NOT NULL CHECK (wanted IN ('AL', 'ER', 'SU')),
    state   text COLLATE "C" NOT NULL DEFAULT 'owed'
            CHECK (state IN ('owed', 'unwanted', 'sent', 'handed', 'lost')),
    at      timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX second_answer_owed ON integration.second_answer (at) WHERE state = 'owed';
CREATE INDEX second_answer_about ON integration.second_answer (about);
