-- Bookings that another system made, in our hours or not: who brought each here, and when. A row
-- each time one was taken in or moved.
CREATE TABLE appointments.elsewhere (
    appointment uuid NOT NULL REFERENCES appointments.appointment (id),
    at          timestamptz NOT NULL DEFAULT now(),
    actor       text COLLATE "C" NOT NULL,
    in_hours    boolean NOT NULL,            -- whether our own hours would have offered it
    PRIMARY KEY (appointment, at)
);
