// Package dcstest holds helpers for the tests of several packages below cmd.
package dcstest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Write writes a file that only its owner may read.
func Write(t testing.TB, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Lay writes files by their paths, and creates their directories.
func Lay(t testing.TB, files map[string]string) {
	t.Helper()
	for name, text := range files {
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		Write(t, name, text)
	}
}

// Chmod changes the mode of each of the paths.
func Chmod(t testing.TB, mode os.FileMode, paths ...string) {
	t.Helper()
	for _, path := range paths {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
}

// Eventually waits until ok returns true, and fails the test after 100 seconds, which suffice even for the first build on a new
// machine. what describes the condition in the failure.
func Eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	const patience = 100 * time.Second
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited %v: %s", patience, what)
		}
	}
}

// FreePort returns a port that is free for UDP and TCP on both loopback addresses. It lies outside of the
// range that the system picks from, of which each server takes hundreds for its transfers.
func FreePort(t testing.TB) string {
	t.Helper()
	const first, last = 10_000, 32_000
	for range 100 {
		port := first + rand.IntN(last-first)
		if free(port, net.IPv4(127, 0, 0, 1)) && (!HasIPv6() || free(port, net.IPv6loopback)) {
			return fmt.Sprint(port)
		}
	}
	t.Fatal("no free port")
	return ""
}

// FreeAddress returns a loopback address with a free port.
func FreeAddress(t testing.TB) string {
	t.Helper()
	return "127.0.0.1:" + FreePort(t)
}

func free(port int, ip net.IP) bool {
	u, err := net.ListenUDP("udp", &net.UDPAddr{IP: ip, Port: port})
	if err != nil {
		return false
	}
	u.Close()
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: ip, Port: port})
	if err != nil {
		return false
	}
	l.Close()
	return true
}

// HasIPv6 reports whether the loopback interface has an IPv6 address.
func HasIPv6() bool {
	c, err := net.ListenUDP("udp6", &net.UDPAddr{IP: net.IPv6loopback})
	if err != nil {
		return false
	}
	c.Close()
	return true
}
