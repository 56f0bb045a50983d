#!/bin/sh
# Makes a filesystem on a blank disk; the arguments are the device and the label. A disk with anything on it is left alone.
# blkid has the same status for "found nothing" and "can't be read", and mkfs overwrites whatever there is. So the disk
# first has to prove that it can be read, and that it is blank where filesystems and partition tables have their marks.
set -eu

device=$1
label=$2
area=$((16 * 1024 * 1024)) # bytes at the start and at the end

fail() {
    message="multi-tier database: FAILED: the data disk $device is not formatted: $*"
    echo "$message" >&2
    # cloud-init keeps the output of its commands in its log.
    { echo "$message" >/dev/console; } 2>/dev/null || true
    exit 1
}

# check_blank <first byte>
check_blank() {
    status=0
    cmp --silent --bytes="$area" --ignore-initial="$1:0" "$device" /dev/zero || status=$?
    case $status in
        0) ;;
        1) fail "it has data that is no known filesystem. If nobody needs it, overwrite its first and last 16 MiB with" \
            "zeros and reboot, or replace the disk." ;;
        *) fail "it can't be read (see the kernel's log). Check the disk and its storage; nothing was written to it." ;;
    esac
}

status=0
blkid --probe "$device" >/dev/null || status=$?
case $status in
    0) exit 0 ;;
    2) ;;
    *) fail "blkid ended with $status. It may have more than one filesystem's marks." ;;
esac
size=$(blockdev --getsize64 "$device") || fail "its size is unknown."
[ "$size" -ge $((2 * area)) ] || fail "it has $size bytes, which is less than 32 MiB."
check_blank 0
check_blank $((size - area))
marks=$(wipefs --no-act "$device") || fail "wipefs ended with $?."
[ -z "$marks" ] || fail "wipefs found: $marks"
mkfs.ext4 -q -L "$label" "$device" || fail "mkfs.ext4 ended with $?."
