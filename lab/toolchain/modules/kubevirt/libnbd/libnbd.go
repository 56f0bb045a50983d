// Package libnbd lets virt-launcher build without the NBD client library. Incremental backups, its only use,
// end with Create's error.
package libnbd

import "errors"

// The names and numbers below are defined by the NBD protocol.
const (
	CONTEXT_BASE_ALLOCATION   = "base:allocation"
	CONTEXT_QEMU_DIRTY_BITMAP = "qemu:dirty-bitmap:"

	STATE_HOLE  = 1
	STATE_ZERO  = 2
	STATE_DIRTY = 1
)

var errUnavailable = errors.New("this virt-launcher was built without libnbd, which incremental backups need")

type Libnbd struct{}

type LibnbdExtent struct{ Length, Flags uint64 }

func Create() (*Libnbd, error) { return nil, errUnavailable }

func (*Libnbd) Close() error                        { return errUnavailable }
func (*Libnbd) AddMetaContext(string) error         { return errUnavailable }
func (*Libnbd) CanMetaContext(string) (bool, error) { return false, errUnavailable }
func (*Libnbd) SetExportName(string) error          { return errUnavailable }
func (*Libnbd) ConnectUnix(string) error            { return errUnavailable }
func (*Libnbd) GetSize() (uint64, error)            { return 0, errUnavailable }
func (*Libnbd) Pread([]byte, uint64, any) error     { return errUnavailable }
func (*Libnbd) BlockStatus64(uint64, uint64, func(string, uint64, []LibnbdExtent, *int) int, any) error {
	return errUnavailable
}
