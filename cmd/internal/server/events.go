package server

import "dcs/cmd/internal/logging"

// events logs what workers report about requests. Workers must not wait for the log.
type events struct {
	logs   *logging.Log
	faults *faultRing
}
