-- Entries are read a part at a time, in this order.
CREATE INDEX entries_in_order ON entries (revision, kind, id);
DROP INDEX entries_by_revision;
