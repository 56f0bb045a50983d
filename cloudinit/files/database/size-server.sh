#!/bin/sh
# Fits PostgreSQL to its machine: writes the settings that depend on memory and disk. MEMORY, in MiB, is that of the
# stack's settings; with an instancetype, the guest has to look.
set -eu

# shellcheck source=/dev/null
. /etc/virtwork/database.conf

# between <least> <value> <most>
between() {
    if [ "$2" -lt "$1" ]; then echo "$1"; elif [ "$2" -gt "$3" ]; then echo "$3"; else echo "$2"; fi
}

memory=${MEMORY:-$(($(sed -n 's/^MemTotal: *\([0-9]*\) kB/\1/p' /proc/meminfo) / 1024))}
free=$(df --output=avail --block-size=1M "$MOUNT" | tail -n 1)
cat >/etc/virtwork/postgresql-size.conf <<SETTINGS
# Written by virtwork-size-server for $memory MiB of memory and $free MiB of free disk.
# "A reasonable starting value [...] is 25% of the memory": PostgreSQL's documentation, 20.4.1.
shared_buffers = $((memory / 4))MB
# "1/2 of total memory would be a normal conservative setting": PostgreSQL's wiki, Tuning Your PostgreSQL Server.
effective_cache_size = $((memory / 2))MB
# A sixteenth, as pgtune has it, for each of three autovacuum workers and for primary keys.
maintenance_work_mem = $(between 16 $((memory / 16)) 2048)MB
# Besides the tables, the smallest data disk has 1 GiB for WAL and for what writes add. More WAL means fewer checkpoints.
max_wal_size = $(between 512 $((free / 8)) 16384)MB
SETTINGS
