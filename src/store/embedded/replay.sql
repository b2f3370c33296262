-- push.state also: 5 discarded.

-- How second and later runs came about.
CREATE TABLE replay (
    push INTEGER NOT NULL,
    run  INTEGER NOT NULL,             -- the run that began
    at   INTEGER NOT NULL,
    was  INTEGER NOT NULL,             -- push.state before
    PRIMARY KEY (push, run)
) STRICT, WITHOUT ROWID;

-- 1: newer pushes of the user did not wait for this attempt.
ALTER TABLE attempt ADD COLUMN out_of_order INTEGER NOT NULL DEFAULT 0;

-- 1: sent again when its answer was not seen.
ALTER TABLE part ADD COLUMN at_least_once INTEGER NOT NULL DEFAULT 0;
