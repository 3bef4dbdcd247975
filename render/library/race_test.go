//go:build race

package library

// slowdown is what the race detector makes of time limits.
const slowdown = 20
