-- What is known of a debt, of a row, or of both at once where the row billed
-- the debt: one tuple for the two, so that a bill is one insert. Facts of a
-- row that another tuple's debt brought are flags of the row's own tuple.
--
-- Debt ids are bytes: they are told apart byte by byte, and may hold a NUL,
-- which text cannot.
--
-- A page is filled by less than half: a batch writes all tuples of a page anew,
-- and what then has no room there is a new entry in each index.
CREATE TABLE records (
    debt_id bytea,
    -- The claim. Without a notification nobody has billed the debt; without a
    -- holder the tuple's own row is the holder.
    notification text,
    holder text,
    -- SNS has accepted the notification, and how often that became true.
    told boolean NOT NULL DEFAULT false,
    tells integer NOT NULL DEFAULT 0,
    import_id uuid,
    row bigint,
    -- b(illed), s(kipped), i(nvalid)
    outcome "char",
    notified boolean NOT NULL DEFAULT false,
    mailed boolean NOT NULL DEFAULT false,
    undeliverable boolean NOT NULL DEFAULT false,
    code text,
    reason text,
    CONSTRAINT records_debt UNIQUE (debt_id),
    CONSTRAINT records_row UNIQUE (import_id, row),
    CONSTRAINT records_speak_of_something CHECK (debt_id IS NOT NULL OR row IS NOT NULL),
    CONSTRAINT records_row_whole CHECK ((import_id IS NULL) = (row IS NULL))
) WITH (fillfactor = 45);

-- The message of a debt on a channel.
CREATE TABLE sends (
    debt_id bytea,
    channel text COLLATE "C",
    -- The attempt that has claimed it; the claim stands as long as its lease.
    owner uuid,
    claimed_at timestamptz,
    -- How it ended: sent, or undeliverable for a reason.
    sent boolean,
    code text,
    reason text,
    -- The end was counted for a row: where it is an e-mail, for the row that
    -- billed the debt.
    for_row boolean NOT NULL DEFAULT false,
    -- The attempts of which nobody knows whether they were taken.
    unknown uuid[] NOT NULL DEFAULT '{}',
    PRIMARY KEY (debt_id, channel)
) WITH (fillfactor = 45);

-- One tuple an attempt, and not one a message: renewing it is one write.
CREATE TABLE leases (
    owner uuid,
    channel text COLLATE "C",
    until timestamptz NOT NULL,
    PRIMARY KEY (owner, channel)
);

CREATE TABLE put_off (
    import_id uuid,
    row bigint,
    until timestamptz NOT NULL,
    PRIMARY KEY (import_id, row)
);

CREATE TABLE imports (
    import_id uuid PRIMARY KEY,
    file_name text,
    size bigint NOT NULL,
    sha256 text NOT NULL,
    rows bigint NOT NULL,
    accepted_at timestamptz NOT NULL,
    sent bigint NOT NULL DEFAULT 0,
    sent_at timestamptz,
    cancelled_at timestamptz,
    abandoned_at timestamptz,
    failure text,
    failed_at timestamptz,
    waited_at timestamptz,
    -- The figures when they were last looked at, and when they last moved.
    figures bigint[] NOT NULL DEFAULT '{0,0,0,0,0}',
    progressed_at timestamptz NOT NULL,
    finished_at timestamptz
) WITH (fillfactor = 50);
CREATE INDEX imports_open ON imports (import_id) WHERE finished_at IS NULL;
CREATE INDEX imports_failed ON imports (failed_at) WHERE failed_at IS NOT NULL;

-- The counts of an import, kept in the transaction of what they count. Each
-- connection has a slot of its own, as it would wait for the others'
-- commits; whoever reads adds the slots up.
CREATE TABLE progress (
    import_id uuid,
    slot smallint,
    billed bigint NOT NULL DEFAULT 0,
    skipped bigint NOT NULL DEFAULT 0,
    invalid bigint NOT NULL DEFAULT 0,
    notified bigint NOT NULL DEFAULT 0,
    mailed bigint NOT NULL DEFAULT 0,
    undeliverable bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (import_id, slot)
) WITH (fillfactor = 50);

-- The same for further channels.
CREATE TABLE channel_progress (
    import_id uuid,
    channel text COLLATE "C",
    slot smallint,
    sent bigint NOT NULL DEFAULT 0,
    undeliverable bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (import_id, channel, slot)
) WITH (fillfactor = 50);

CREATE TABLE agreements (id text PRIMARY KEY, agreement text NOT NULL);

CREATE TABLE sequences (name text COLLATE "C" PRIMARY KEY, last bigint NOT NULL);

CREATE TABLE idempotency_keys (
    key bytea PRIMARY KEY,
    import_id uuid NOT NULL,
    sha256 text NOT NULL,
    until timestamptz NOT NULL
);
CREATE INDEX idempotency_keys_until ON idempotency_keys (until);

-- Written to see whether the server takes writes.
CREATE TABLE readiness (id boolean PRIMARY KEY, asked_at timestamptz NOT NULL);
