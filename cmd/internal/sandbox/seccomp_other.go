//go:build !amd64

package sandbox

var deniedHere []uint32
