package netlab

import (
	"bytes"
	"errors"
	"net/netip"
	"os"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// What a machine behind a tap sends arrives at its own host, and across a bridge at the lab's other end.
func TestTap(t *testing.T) {
	for _, bridged := range []bool{false, true} {
		lab := ForTest(t, Config{})
		host, to := lab.Server, netip.MustParseAddr("198.19.7.1")
		var err error
		if bridged {
			host, to = lab.Load, ServerAddr4
			if err = host.Tap("tap0"); err == nil {
				err = host.Bridge("bridge", Device, "tap0")
			}
		} else {
			err = host.Tap("tap0", to)
		}
		if err != nil {
			t.Fatal(err)
		}
		var tap *os.File
		err = host.Do(func() error {
			tap, err = openTap("tap0")
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		defer tap.Close()
		for end := time.Now().Add(30 * time.Second); !ownerAnswers(t, tap, to); {
			if time.Now().After(end) {
				t.Fatalf("bridged %v: nobody has %s", bridged, to)
			}
		}
	}
}

// ownerAnswers asks by ARP (RFC 826) who has an address, and tells whether its owner answers before long.
func ownerAnswers(t *testing.T, tap *os.File, to netip.Addr) bool {
	t.Helper()
	mac := []byte{2, 0, 0xc6, 0x13, 7, 2}
	own, target := to.As4(), to.AsSlice()
	own[3] = 9
	ask := slices.Concat([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, mac, []byte{8, 6, 0, 1, 8, 0, 6, 4, 0, 1}, mac, own[:], make([]byte, 6), target)
	if _, err := tap.Write(ask); err != nil {
		t.Fatal(err)
	}
	if err := tap.SetReadDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	var b [2048]byte
	for {
		n, err := tap.Read(b[:])
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return false
		}
		if err != nil {
			t.Fatal(err)
		}
		if n >= 42 && bytes.Equal(b[:6], mac) && bytes.Equal(b[12:14], []byte{8, 6}) && bytes.Equal(b[28:32], target) {
			return true
		}
	}
}

func openTap(name string) (*os.File, error) {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	ifr, err := unix.NewIfreq(name)
	if err == nil {
		ifr.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI)
		err = unix.IoctlIfreq(fd, unix.TUNSETIFF, ifr)
	}
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}
