-- What callers keep at a model server, and whose it is: files and batches. The details are JSON.
CREATE TABLE owned (
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    account TEXT NOT NULL,
    server TEXT NOT NULL,
    purpose TEXT NOT NULL,
    created BIGINT NOT NULL,
    open BIGINT NOT NULL,
    details TEXT NOT NULL,
    PRIMARY KEY (kind, id)
);
CREATE INDEX owned_by_account ON owned (account, kind, created, id);
