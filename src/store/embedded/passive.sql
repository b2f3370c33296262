-- The document of a passive reply: the part is the answer to its push, not a call.
ALTER TABLE part ADD COLUMN passive BLOB;
