-- Who made a change, where whoever asked for it is known by name.
ALTER TABLE journal ADD COLUMN actor TEXT;
