-- What identifies the debtors of an import is to be erased: since when, who
-- asked for it, and when it was done; and whether it is to be done now.
ALTER TABLE imports
    ADD COLUMN erasing_since timestamptz,
    ADD COLUMN erased_by text COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN erased_at timestamptz,
    ADD COLUMN erasing boolean NOT NULL DEFAULT false;
CREATE INDEX imports_erasing ON imports (import_id) WHERE erasing;

-- The claims of an import that stand apart from its rows. Few do.
CREATE INDEX records_holder ON records (holder COLLATE "C", debt_id) WHERE holder IS NOT NULL;
