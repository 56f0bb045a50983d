// Package libnbd lets cdi-importer build without the NBD client library. Imports from VMware, its only use,
// end with Create's error.
package libnbd

import "errors"

// The names and numbers below are defined by the NBD protocol.
const (
	CONTEXT_BASE_ALLOCATION = "base:allocation"

	STATE_HOLE = 1
	STATE_ZERO = 2

	CMD_FLAG_REQ_ONE = 8
)

var errUnavailable = errors.New("this cdi-importer was built without libnbd, which imports from VMware need")

type (
	Libnbd             struct{}
	LibnbdError        struct{ error }
	PreadOptargs       struct{}
	ExtentCallback     func(metacontext string, offset uint64, entries []uint32, err *int) int
	BlockStatusOptargs struct {
		Flags    uint32
		FlagsSet bool
	}
)

func Create() (*Libnbd, error) { return nil, errUnavailable }

func (*Libnbd) Close() *LibnbdError                       { return &LibnbdError{errUnavailable} }
func (*Libnbd) AddMetaContext(string) error               { return errUnavailable }
func (*Libnbd) ConnectUri(string) error                   { return errUnavailable }
func (*Libnbd) GetSize() (uint64, error)                  { return 0, errUnavailable }
func (*Libnbd) Pread([]byte, uint64, *PreadOptargs) error { return errUnavailable }
func (*Libnbd) BlockStatus(uint64, uint64, ExtentCallback, *BlockStatusOptargs) error {
	return errUnavailable
}
