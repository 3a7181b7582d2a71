-- A model may change behind its name: what it answers today cannot be compared with what it answered before.

-- How the vectors that this job bought differ from those stored before; null while they do not.
ALTER TABLE crawl_jobs ADD COLUMN vector_drift text;
