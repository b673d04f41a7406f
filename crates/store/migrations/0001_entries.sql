-- Everything that is kept of accounts, keys and what belongs to them: each as JSON, with the revision that wrote it.
-- What was removed stays as a row without a body, so that whoever reads what changed learns of it.
CREATE TABLE entries (
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    body TEXT,
    revision BIGINT NOT NULL,
    PRIMARY KEY (kind, id)
);
CREATE INDEX entries_by_revision ON entries (revision);

-- One row: the last revision that was given out.
CREATE TABLE revision (
    one BIGINT NOT NULL PRIMARY KEY,
    last BIGINT NOT NULL
);
INSERT INTO revision (one, last) VALUES (1, 0);
