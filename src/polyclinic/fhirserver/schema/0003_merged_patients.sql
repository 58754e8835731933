-- Two records of one person. Bodies, references and keys stay where they are: what stands for
-- whom is said here, and taken back here. Ids are opaque.
CREATE TABLE patient_merge (
    id           uuid PRIMARY KEY,
    loser        text COLLATE "C" NOT NULL,
    winner       text COLLATE "C" NOT NULL,
    at           timestamptz NOT NULL,
    ended        timestamptz,
    loser_active boolean, -- as it stood before, to be put back
    CHECK (loser <> winner)
);
CREATE UNIQUE INDEX patient_merge_once ON patient_merge (loser) WHERE ended IS NULL;
CREATE INDEX patient_merge_winner ON patient_merge (winner) WHERE ended IS NULL;

-- Everybody that a merge joins, in both directions; made anew from `patient_merge` by each change.
CREATE TABLE patient_alias (
    patient  bigint NOT NULL,
    alias    bigint NOT NULL,
    id       text COLLATE "C" NOT NULL,
    alias_id text COLLATE "C" NOT NULL,
    PRIMARY KEY (patient, alias)
);

-- Who cares for whom: a relation to one record of a person opens the others too.
CREATE VIEW care AS
    SELECT practitioner, patient, since, until FROM relation
    UNION ALL
    SELECT c.practitioner, a.patient, c.since, c.until
    FROM patient_alias a JOIN relation c ON c.patient = a.alias;
