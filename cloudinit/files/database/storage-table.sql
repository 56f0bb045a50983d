-- Where the application finds what the data disk was measured to do; empty where it was not.
SET client_min_messages = 'warning'; -- not that it is there already
SET ROLE appuser;
CREATE TABLE IF NOT EXISTS storage_figures (measured timestamptz NOT NULL, seconds int NOT NULL, jobs jsonb NOT NULL);
