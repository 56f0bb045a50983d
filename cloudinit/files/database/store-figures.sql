-- Keeps of fio's answer, which comes by file descriptor 3, what a disk is compared by. Times are in ms: of a log write the
-- time of its sync, which is what a commit waits for.
\set answer `cat <&3`
SET ROLE appuser;
WITH answer AS (
    SELECT :'answer'::jsonb AS fio
), job AS (
    SELECT job, CASE WHEN (job #>> '{read,total_ios}')::bigint > 0 THEN job -> 'read' ELSE job -> 'write' END AS done
    FROM answer, jsonb_array_elements(fio -> 'jobs') AS job
), timed AS (
    SELECT job, done,
        -- Not by total_ios, which fio 3.33 leaves at 0 there.
        CASE WHEN job #> '{sync,lat_ns,percentile}' IS NOT NULL THEN job #> '{sync,lat_ns}' ELSE done -> 'clat_ns' END AS time
    FROM job
)
INSERT INTO storage_figures (measured, seconds, jobs)
SELECT to_timestamp((SELECT (fio ->> 'timestamp')::bigint FROM answer)), :seconds, jsonb_object_agg(
    job ->> 'jobname',
    jsonb_build_object(
        'operations_per_second', round((done ->> 'iops')::numeric, 1),
        'bytes_per_second', (done ->> 'bw_bytes')::bigint,
        'p50_ms', round((time #>> '{percentile,50.000000}')::numeric / 1e6, 3),
        'p99_ms', round((time #>> '{percentile,99.000000}')::numeric / 1e6, 3)
    ))
FROM timed;
