-- Which resource was put aside on the way back: it is asked for again when what it means is known.
ALTER TABLE migration.quarantine ADD resource text COLLATE "C" NOT NULL DEFAULT '';
