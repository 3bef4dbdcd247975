package main

import "dcs/cmd/internal/dcstest"

var (
	chmod       = dcstest.Chmod
	eventually  = dcstest.Eventually
	freeAddress = dcstest.FreeAddress
	freePort    = dcstest.FreePort
	hasIPv6     = dcstest.HasIPv6
	lay         = dcstest.Lay
	write       = dcstest.Write
)
