-- The scale of complete pgbench tables, 0 when there are none. The accounts' key is made last of all.
SELECT to_regclass('public.pgbench_accounts_pkey') IS NOT NULL AS seeded
\gset
\if :seeded
SELECT count(*) FROM pgbench_branches;
\else
SELECT 0;
\endif
