package server

import "dcs/cmd/internal/logging"

// events logs what the workers report of requests. Workers must not wait for the log.
type events struct {
	logs   *logging.Log
	faults *faultRing
}
