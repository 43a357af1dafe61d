-- Who changed the address that a debt's e-mail goes to, and when: JSON.
ALTER TABLE records ADD COLUMN address_changes text;
