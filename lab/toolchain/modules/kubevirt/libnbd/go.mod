// KubeVirt's launcher imports libnbd for incremental backups only, and the Go module proxy doesn't serve it.
module libguestfs.org/libnbd

go 1.26
