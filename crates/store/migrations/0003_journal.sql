-- What was changed and is not in the ledger yet: each change with what was there before, in the order in which they were made.
CREATE TABLE journal (
    revision BIGINT NOT NULL,
    place BIGINT NOT NULL,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    body_before TEXT,
    body_after TEXT,
    PRIMARY KEY (revision, place)
);
