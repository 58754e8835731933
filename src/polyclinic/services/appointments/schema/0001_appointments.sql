-- Who is where and when. Lean: ids are opaque, times and states are readable; why somebody comes
-- is sealed under the patient's key; no name, no contact stands here.

-- Clinicians and rooms as numbers; a patient's number is a keyed hash and stands in no table.
CREATE TABLE appointments.bookable (
    number integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind   text NOT NULL CHECK (kind IN ('clinician', 'room')),
    name   text COLLATE "C" NOT NULL,
    UNIQUE (kind, name)
);

-- The clinic's week as one document; each change is a new row, so that yesterday's can be read.
CREATE TABLE appointments.setup (
    version  integer PRIMARY KEY,
    at       timestamptz NOT NULL DEFAULT now(),
    author   text COLLATE "C" NOT NULL,
    document bytea NOT NULL
);

-- Five minutes of somebody or something. The primary key is what makes double booking impossible.
-- `at` is minutes / 5 since 1970 in UTC; a hold has an end and may be taken over after it.
CREATE TABLE appointments.atom (
    resource bigint NOT NULL,
    at       integer NOT NULL,
    booking  uuid NOT NULL,
    expires  timestamptz,
    PRIMARY KEY (resource, at)
) WITH (fillfactor = 90);
CREATE INDEX atom_of_booking ON appointments.atom (booking);

-- A place kept for a while; its id becomes the appointment's.
CREATE TABLE appointments.hold (
    id         uuid PRIMARY KEY,
    holder     bytea NOT NULL,
    clinician  integer NOT NULL REFERENCES appointments.bookable (number),
    room       integer,
    visit_type text COLLATE "C" NOT NULL,
    site       text COLLATE "C" NOT NULL,
    start_at   integer NOT NULL,
    first_at   integer NOT NULL,
    last_at    integer NOT NULL,
    seat       integer,
    expires    timestamptz NOT NULL
);
CREATE INDEX hold_of_clinician ON appointments.hold (clinician, first_at);
CREATE INDEX hold_of_room ON appointments.hold (room, first_at) WHERE room IS NOT NULL;
CREATE INDEX hold_of_holder ON appointments.hold (holder);
CREATE INDEX hold_expires ON appointments.hold (expires);

-- `first_at` to `last_at` is the visit with its buffers; `seats` is all of them unless visits of
-- this type are shared. int4range(n, n, '[]') && is equality without another extension.
CREATE TABLE appointments.appointment (
    id           uuid PRIMARY KEY,
    patient      text COLLATE "C" NOT NULL,
    person       bigint NOT NULL,
    practitioner text COLLATE "C" NOT NULL,
    clinician    integer NOT NULL REFERENCES appointments.bookable (number),
    room         integer REFERENCES appointments.bookable (number),
    visit_type   text COLLATE "C" NOT NULL,
    site         text COLLATE "C" NOT NULL,
    start_at     integer NOT NULL,
    end_at       integer NOT NULL,
    first_at     integer NOT NULL,
    last_at      integer NOT NULL,
    seats        int4range NOT NULL DEFAULT '[0,1024)',
    status       text COLLATE "C" NOT NULL,
    overbooked   boolean NOT NULL DEFAULT false,
    version      integer NOT NULL DEFAULT 1,
    made         timestamptz NOT NULL DEFAULT now(),
    changed      timestamptz NOT NULL DEFAULT now(),
    arrived      timestamptz,
    checked_in   timestamptz,
    cancelled_by text COLLATE "C",
    reason_code  text COLLATE "C",
    note         bytea,
    CHECK (start_at < end_at AND first_at <= start_at AND last_at >= end_at),
    CHECK (status IN ('proposed', 'pending', 'booked', 'arrived', 'fulfilled', 'cancelled',
                      'noshow', 'entered-in-error', 'checked-in', 'waitlist')),
    -- The auditor: never reached as long as atoms are taken first (decisions/0011).
    CONSTRAINT never_two_at_once EXCLUDE USING gist (
        int4range(clinician, clinician, '[]') WITH &&,
        int4range(first_at, last_at) WITH &&,
        seats WITH &&)
        WHERE (status IN ('pending', 'booked', 'arrived', 'checked-in', 'fulfilled', 'noshow')
               AND NOT overbooked)
) WITH (fillfactor = 85);
CREATE INDEX appointment_of_clinician ON appointments.appointment (clinician, first_at)
    INCLUDE (last_at, seats, status);
CREATE INDEX appointment_of_room ON appointments.appointment (room, first_at)
    INCLUDE (last_at, status) WHERE room IS NOT NULL;
CREATE INDEX appointment_of_patient ON appointments.appointment (person, start_at);
CREATE INDEX appointment_of_site ON appointments.appointment (site, start_at);

-- Who booked over a taken time, and why (sealed).
CREATE TABLE appointments.overbooking (
    appointment uuid NOT NULL,
    at          timestamptz NOT NULL DEFAULT now(),
    actor       text COLLATE "C" NOT NULL,
    reason      bytea NOT NULL,
    PRIMARY KEY (appointment, at)
);

-- The answer of a request that may be repeated. `name` is a hash of caller and key: a client's
-- key may say anything. No answer here holds a reason or a comment.
CREATE TABLE appointments.idempotency (
    name   bytea PRIMARY KEY,
    body   bytea NOT NULL,
    status smallint,
    answer bytea,
    at     timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX idempotency_at ON appointments.idempotency USING brin (at);

CREATE TABLE appointments.waiting (
    id           uuid PRIMARY KEY,
    patient      text COLLATE "C" NOT NULL,
    person       bigint NOT NULL,
    visit_type   text COLLATE "C" NOT NULL,
    practitioner text COLLATE "C",
    site         text COLLATE "C",
    from_day     date NOT NULL,
    until_day    date NOT NULL,
    status       text COLLATE "C" NOT NULL CHECK (status IN ('waiting', 'offered', 'booked', 'left')),
    offered      uuid,
    offer_ends   timestamptz,
    made         timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX waiting_by_age ON appointments.waiting (made) WHERE status IN ('waiting', 'offered');
CREATE INDEX waiting_of_patient ON appointments.waiting (person);
