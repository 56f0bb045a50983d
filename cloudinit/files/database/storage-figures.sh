#!/bin/sh
# Measures the data disk with fio, and puts the figures where the application serves them.
#   virtwork-storage-figures          both: with PostgreSQL at work, so its load is in the figures
#   virtwork-storage-figures measure  before PostgreSQL starts, once for each length of a measurement
#   virtwork-storage-figures store    what was measured and is in no table yet
# fio's whole answer stays on the disk that it is of.
set -eu

# shellcheck source=/dev/null
. /etc/virtwork/database.conf
figures=$MOUNT/storage-figures-${FIO_SECONDS}s.json
file=$MOUNT/storage-figures.tmp

say() {
    echo "multi-tier storage: $*"
}

measure() {
    available=$(df --output=avail --block-size=1M "$MOUNT" | tail -n 1)
    if [ "$available" -lt 900 ]; then
        say "not measured: that takes 512 MiB of the disk for a while, and $available MiB are free"
        return
    fi
    say "measuring the data disk for about $((3 * FIO_SECONDS)) s"
    trap 'rm -f "$file"' EXIT
    # A disk that can't be measured can still serve.
    if FIGURES_FILE=$file FIGURES_SECONDS=$FIO_SECONDS timeout $((3 * FIO_SECONDS + 300)) \
        fio --output-format=json --output="$figures.part" /etc/virtwork/storage.fio; then
        mv "$figures.part" "$figures"
        rm -f "$figures.stored"
    else
        say "not measured: fio failed; it said: $(tail -n 3 "$figures.part")"
    fi
    rm -f "$file"
    trap - EXIT
}

store() {
    if [ ! -e "$figures" ] || [ -e "$figures.stored" ]; then
        return
    fi
    setpriv --reuid postgres --regid postgres --init-groups psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 \
        --set seconds="$FIO_SECONDS" --dbname appdb --file /etc/virtwork/store-figures.sql 3<"$figures"
    touch "$figures.stored"
    say "figures stored: GET /api/v1/storage of the application"
}

case ${1:-both} in
    measure) [ -e "$figures" ] || measure ;;
    store) store ;;
    both)
        measure
        store
        ;;
    *)
        say "unknown: $1; there are measure and store"
        exit 2
        ;;
esac
