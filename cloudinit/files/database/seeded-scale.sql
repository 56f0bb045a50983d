-- Returns the scale of complete pgbench tables, 0 without them. pgbench creates the accounts' primary key last.
SELECT to_regclass('public.pgbench_accounts_pkey') IS NOT NULL AS seeded
\gset
\if :seeded
SELECT count(*) FROM pgbench_branches;
\else
SELECT 0;
\endif
