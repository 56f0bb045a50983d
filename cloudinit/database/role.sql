-- Makes role, database and password what they should be, whatever they are now.
-- The password comes by file descriptor 3. No statement with it may reach the server's log, not even a failing one.
SET log_statement = 'none';
SET log_min_error_statement = 'panic';
SET log_min_duration_statement = -1;
\set password `cat <&3`
SELECT 'CREATE ROLE appuser' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'appuser')
\gexec
ALTER ROLE appuser WITH LOGIN PASSWORD :'password';
SELECT 'CREATE DATABASE appdb OWNER appuser' WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'appdb')
\gexec
