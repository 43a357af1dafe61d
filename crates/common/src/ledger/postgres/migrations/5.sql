-- Why a row waits for a mail server.
ALTER TABLE put_off ADD COLUMN code text, ADD COLUMN reason text;
