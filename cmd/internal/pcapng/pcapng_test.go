package pcapng

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"dcs/bench/require"
)

// tool runs a program of Wireshark's and returns what it prints.
func tool(t *testing.T, args ...string) string {
	t.Helper()
	require.Program(t, args[0])
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir()) // no preferences, no plug-ins
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v: %s", args, err, stderr.String())
	}
	return string(out)
}

// frameOf returns an Ethernet frame of so many octets.
func frameOf(n int) []byte {
	b := slices.Concat([]byte{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x88, 0xb5}, make([]byte, n))[:n]
	for i := 14; i < n; i++ {
		b[i] = byte(i)
	}
	return b
}

// What is written is what Wireshark reads, whatever the lengths of frames and options.
func TestWiresharkReads(t *testing.T) {
	var file bytes.Buffer
	w, err := NewWriter(&file, "dcs test")
	if err != nil {
		t.Fatal(err)
	}
	names := []string{"e", "eth1", "eth1.5", "a-name-of-15-ch"}
	for i, n := range names {
		number, err := w.AddInterface(Interface{Name: n, Description: strings.Repeat("d", i), Filter: "ip 10.0.0.0/8", Snap: 2048})
		if err != nil || number != i {
			t.Fatal(number, err)
		}
	}
	const start = 1_700_000_000_123_456_789
	var want []string
	for i := range 40 {
		p := Packet{
			Interface: i % len(names), Time: start + int64(i)*5_000_000_001, Data: frameOf(14 + i), Length: 14 + i + i%3*1000,
			Sent: i%2 == 1, Action: uint64(i % 5), Comment: strings.Repeat("c", i%7),
		}
		if err := w.WritePacket(&p); err != nil {
			t.Fatal(err)
		}
		direction, action := "0x00000001", ""
		if p.Sent {
			direction = "0x00000002"
		}
		if p.Action != 0 {
			action = fmt.Sprint(p.Action)
		}
		want = append(want, strings.Join([]string{
			names[p.Interface], fmt.Sprintf("%d.%09d", p.Time/1e9, p.Time%1e9), fmt.Sprint(p.Length), fmt.Sprint(len(p.Data)), direction, action, p.Comment, hex.EncodeToString(p.Data[14:]),
		}, "|"))
	}
	late, err := w.AddInterface(Interface{Name: "late", Snap: 2048})
	if err != nil {
		t.Fatal(err)
	}
	for i := range late + 1 {
		s := Statistics{Interface: i, Start: start, Time: start + 7e9, Accepted: uint64(100 + i), Dropped: uint64(i) << 33, Delivered: uint64(100 - i)}
		if err := w.WriteStatistics(s); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), "x.pcapng")
	if err := os.WriteFile(path, file.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}

	fields := []string{"frame.interface_name", "frame.time_epoch", "frame.len", "frame.cap_len", "frame.packet_flags_direction", "frame.verdict.ebpf_xdp", "frame.comment", "data.data"}
	args := []string{"tshark", "-r", path, "-T", "fields", "-E", "separator=|"}
	for _, f := range fields {
		args = append(args, "-e", f)
	}
	got := strings.Split(strings.TrimSuffix(tool(t, args...), "\n"), "\n")
	if len(got) != len(want) {
		t.Fatalf("%d packets, want %d", len(got), len(want))
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("packet %d:\n%s, want\n%s", i, got[i], want[i])
		}
	}

	info := tool(t, "capinfos", "-M", path)
	for _, s := range []string{"Capture application: dcs test", "Encapsulation = Ethernet", "Number of packets:   40", "Number of interfaces in file: 5", "Number of stat entries = 1", "Filter string = ip 10.0.0.0/8", "Time precision = nanoseconds (9)", "Name = a-name-of-15-ch", "Description = ddd"} {
		if !strings.Contains(info, s) {
			t.Errorf("capinfos does not say %q:\n%s", s, info)
		}
	}

	args = []string{"tshark", "-r", path, "-X", "read_format:MIME Files Format", "-T", "fields"}
	for _, f := range []string{"accepted_by_filter", "dropped", "delivered_to_user"} {
		args = append(args, "-e", "pcapng.options.option.data.interface."+f)
	}
	if got, want := strings.TrimSpace(tool(t, args...)), "100,101,102,103,104\t0,8589934592,17179869184,25769803776,34359738368\t100,99,98,97,96"; got != want {
		t.Errorf("statistics %q, want %q", got, want)
	}
}

// failing takes so many blocks.
type failing struct{ blocks int }

var errFull = errors.New("full")

func (f *failing) Write(b []byte) (int, error) {
	if f.blocks == 0 {
		return 0, errFull
	}
	f.blocks--
	return len(b), nil
}

// Each block is one Write, whose error comes back.
func TestErrors(t *testing.T) {
	for blocks := range 4 {
		w, err := NewWriter(&failing{blocks}, "x")
		if err == nil {
			_, err = w.AddInterface(Interface{Name: "x"})
		}
		if err == nil {
			err = w.WritePacket(&Packet{Data: frameOf(60), Length: 60})
		}
		if err == nil {
			err = w.WriteStatistics(Statistics{})
		}
		if !errors.Is(err, errFull) {
			t.Errorf("after %d blocks: %v", blocks, err)
		}
	}
}
