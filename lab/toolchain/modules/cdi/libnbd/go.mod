// CDI's importer imports libnbd for VMware's disks only, and the Go module proxy doesn't serve it.
module libguestfs.org/libnbd

go 1.26
