-- What webhooks are told of.

-- Until when it is noted what is to be told of.
CREATE TABLE webhooks (id boolean PRIMARY KEY, noted_until timestamptz NOT NULL);

-- An import of which something is still to be told, and the event that was
-- stored of it last.
CREATE TABLE webhook_imports (import_id uuid PRIMARY KEY, told uuid);

-- An e-mail that can never be delivered, of which nobody is told yet.
CREATE TABLE webhook_mails (
    debt_id bytea PRIMARY KEY,
    import_id uuid,
    row bigint,
    code text NOT NULL,
    noted_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX webhook_mails_noted ON webhook_mails (noted_at, debt_id);

-- An event that is to be delivered, or was given up.
CREATE TABLE webhook_events (
    id uuid PRIMARY KEY,
    kind text NOT NULL,
    body text NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    due timestamptz NOT NULL DEFAULT clock_timestamp(),
    given_up_at timestamptz
);
CREATE INDEX webhook_events_due ON webhook_events (due) WHERE given_up_at IS NULL;
CREATE INDEX webhook_events_given_up ON webhook_events (given_up_at) WHERE given_up_at IS NOT NULL;
