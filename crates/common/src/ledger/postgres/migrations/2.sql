-- Who carries an import, and from where its sending goes on. An import that has
-- no spool was registered before there were any.
ALTER TABLE imports
    ADD COLUMN spool text COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN client text COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN sent_offset bigint NOT NULL DEFAULT 0,
    ADD COLUMN epoch bigint NOT NULL DEFAULT 0,
    ADD COLUMN owner uuid,
    ADD COLUMN carried_until timestamptz;
CREATE INDEX imports_unsent ON imports (spool, import_id) WHERE sent_at IS NULL;
