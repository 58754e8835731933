-- The ledger: double entry, append-only, in minor units (cents). Ids are opaque; what a charge was
-- for stands elsewhere, sealed. Rules are the database's own: balance, once, never changed, closed.

CREATE TABLE billing.account (
    number   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name     text COLLATE "C" NOT NULL,      -- 'card', 'income', 'patient/<id>', 'payer/<id>' …
    kind     text COLLATE "C" NOT NULL CHECK (kind IN ('asset', 'liability', 'income', 'expense')),
    currency text COLLATE "C" NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    UNIQUE (name, currency)
);

-- The maintained sum of each account; the nightly proof adds all postings up again.
CREATE TABLE billing.balance (
    account bigint PRIMARY KEY REFERENCES billing.account (number),
    amount  bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);

-- `source` says what caused an entry ('charge/<id>', 'payment/<id>'): a cause has one effect.
CREATE TABLE billing.ledger_entry (
    id       uuid PRIMARY KEY DEFAULT uuidv7(),
    seq      bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    day      date NOT NULL,
    at       timestamptz NOT NULL DEFAULT now(),
    kind     text COLLATE "C" NOT NULL,
    source   text COLLATE "C" NOT NULL UNIQUE,
    author   text COLLATE "C" NOT NULL,
    reverses uuid UNIQUE REFERENCES billing.ledger_entry (id),
    reason   text COLLATE "C",
    tx       xid8 NOT NULL DEFAULT pg_current_xact_id(),
    CHECK (reverses IS NULL OR reason <> '')
);
CREATE INDEX ledger_entry_of_day ON billing.ledger_entry (day, seq);

-- Debits are positive, credits negative. `what` is a code such as 'CO-45', never a sentence.
CREATE TABLE billing.ledger_line (
    entry   uuid NOT NULL REFERENCES billing.ledger_entry (id),
    line    smallint NOT NULL,
    account bigint NOT NULL REFERENCES billing.account (number),
    amount  bigint NOT NULL CHECK (amount <> 0 AND abs(amount) < 100000000000000),
    patient text COLLATE "C",
    claim   uuid,
    charge  uuid,
    what    text COLLATE "C" NOT NULL DEFAULT '',
    PRIMARY KEY (entry, line)
);
CREATE INDEX ledger_line_of_account ON billing.ledger_line (account);
CREATE INDEX ledger_line_of_patient ON billing.ledger_line (patient, account) WHERE patient IS NOT NULL;
CREATE INDEX ledger_line_of_claim ON billing.ledger_line (claim, account) WHERE claim IS NOT NULL;
CREATE INDEX ledger_line_of_charge ON billing.ledger_line (charge) WHERE charge IS NOT NULL;

-- A closed day: its digest covers every entry of the day and the digest of the day closed before.
CREATE TABLE billing.day_close (
    day       date PRIMARY KEY,
    at        timestamptz NOT NULL DEFAULT now(),
    author    text COLLATE "C" NOT NULL,
    entries   integer NOT NULL,
    debits    bigint NOT NULL,
    former    bytea NOT NULL,
    digest    bytea NOT NULL,
    signature bytea NOT NULL
);

CREATE FUNCTION billing.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only; correct it by a reversal', TG_TABLE_NAME
        USING ERRCODE = 'PB001';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON billing.ledger_entry
    FOR EACH STATEMENT EXECUTE FUNCTION billing.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON billing.ledger_line
    FOR EACH STATEMENT EXECUTE FUNCTION billing.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON billing.account
    FOR EACH STATEMENT EXECUTE FUNCTION billing.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON billing.day_close
    FOR EACH STATEMENT EXECUTE FUNCTION billing.refuse_change();

-- Whoever closes a day holds the table, so no entry of that day is on its way meanwhile.
CREATE FUNCTION billing.refuse_closed_day() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM new_entry n
               WHERE n.day <= (SELECT max(c.day) FROM billing.day_close c)) THEN
        RAISE EXCEPTION 'this day is closed' USING ERRCODE = 'PB002';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER open_day AFTER INSERT ON billing.ledger_entry REFERENCING NEW TABLE AS new_entry
    FOR EACH STATEMENT EXECUTE FUNCTION billing.refuse_closed_day();

-- Postings come with their entry, in its transaction; balances move with them, in one lock order.
CREATE FUNCTION billing.count_lines() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM new_line p JOIN billing.ledger_entry e ON (e.id = p.entry)
               WHERE e.tx <> pg_current_xact_id()) THEN
        RAISE EXCEPTION 'postings are added with their entry or never' USING ERRCODE = 'PB003';
    END IF;
    INSERT INTO billing.balance (account)
        SELECT DISTINCT p.account FROM new_line p ORDER BY 1 ON CONFLICT DO NOTHING;
    PERFORM FROM billing.balance b WHERE b.account IN (SELECT p.account FROM new_line p)
        ORDER BY b.account FOR UPDATE;
    UPDATE billing.balance b SET amount = b.amount + s.amount
        FROM (SELECT p.account, sum(p.amount) AS amount FROM new_line p GROUP BY 1) s
        WHERE b.account = s.account;
    RETURN NULL;
END $$;
CREATE TRIGGER counted AFTER INSERT ON billing.ledger_line REFERENCING NEW TABLE AS new_line
    FOR EACH STATEMENT EXECUTE FUNCTION billing.count_lines();

-- At the commit every new entry balances in each currency; a reversal mirrors what it reverses.
CREATE FUNCTION billing.prove_entry() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT count(*) < 2 FROM billing.ledger_line p WHERE p.entry = NEW.id)
       OR EXISTS (SELECT FROM billing.ledger_line p JOIN billing.account a ON (a.number = p.account)
                  WHERE p.entry = NEW.id GROUP BY a.currency HAVING sum(p.amount) <> 0) THEN
        RAISE EXCEPTION 'an entry must balance' USING ERRCODE = 'PB004';
    END IF;
    IF NEW.reverses IS NOT NULL AND EXISTS (
        SELECT FROM billing.ledger_line p WHERE p.entry IN (NEW.id, NEW.reverses)
        GROUP BY p.account, p.patient, p.claim, p.charge, p.what HAVING sum(p.amount) <> 0) THEN
        RAISE EXCEPTION 'a reversal mirrors the entry that it reverses' USING ERRCODE = 'PB005';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER balanced AFTER INSERT ON billing.ledger_entry
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION billing.prove_entry();
