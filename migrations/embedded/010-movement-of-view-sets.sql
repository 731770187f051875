-- When the copy of a view last moved.
ALTER TABLE view_sets ADD COLUMN moved INTEGER;
