package privilege

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"dcs/bench/require"

	"golang.org/x/sys/unix"
)

const inChild = "DCS_TEST_PRIVILEGE"

// TestMain gives up everything but two capabilities in a process of its own, and prints what its threads have left.
func TestMain(m *testing.M) {
	if os.Getenv(inChild) == "" {
		os.Exit(m.Run())
	}
	for range 4 {
		go func() { select {} }()
	}
	dropped, err := Retain("CAP_NET_ADMIN", "CAP_CHOWN")
	if errors.Is(err, ErrThreads) {
		fmt.Println("threads")
		os.Exit(0)
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("dropped", strings.Join(dropped, " "))
	tasks, _ := filepath.Glob("/proc/self/task/*/status")
	for _, task := range tasks {
		b, _ := os.ReadFile(task)
		for sc := bufio.NewScanner(bytes.NewReader(b)); sc.Scan(); {
			if f := strings.Fields(sc.Text()); len(f) == 2 && slices.Contains([]string{"CapEff:", "CapPrm:", "CapInh:", "CapBnd:", "CapAmb:", "NoNewPrivs:"}, f[0]) {
				fmt.Println(f[0], f[1])
			}
		}
	}
	missing, err := Missing("CAP_CHOWN", "CAP_NET_RAW", "CAP_BPF")
	fmt.Println("missing", missing, err)
	if dropped, err := Retain("CAP_NET_ADMIN", "CAP_CHOWN", "CAP_BPF"); len(dropped) > 0 || err != nil {
		fmt.Println("again", dropped, err)
	}
}

func TestRetain(t *testing.T) {
	require.Root(t)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), inChild+"=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if strings.HasPrefix(string(out), "threads") {
		t.Skip(ErrThreads) // the race detector is C
	}
	const left = 1<<unix.CAP_NET_ADMIN | 1<<unix.CAP_CHOWN
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	threads := 0
	for _, line := range lines {
		switch f := strings.Fields(line); f[0] {
		case "dropped":
			if !slices.Contains(f, "CAP_BPF") || !slices.Contains(f, "CAP_SYS_ADMIN") || slices.Contains(f, "CAP_CHOWN") {
				t.Error(line)
			}
		case "CapEff:", "CapPrm:":
			threads++
			if f[1] != fmt.Sprintf("%016x", left) {
				t.Error(line)
			}
		case "NoNewPrivs:":
			if f[1] != "1" {
				t.Error(line)
			}
		case "CapInh:", "CapBnd:", "CapAmb:":
			if strings.Trim(f[1], "0") != "" {
				t.Error(line)
			}
		case "missing":
			if line != "missing [CAP_NET_RAW CAP_BPF] <nil>" {
				t.Error(line)
			}
		default:
			t.Error(line)
		}
	}
	if threads < 6 {
		t.Errorf("%d sets of threads were seen:\n%s", threads, out)
	}
}

func TestUnknown(t *testing.T) {
	if _, err := Missing("CAP_FLY"); err == nil {
		t.Error("no error")
	}
	if _, err := Retain("cap_net_raw"); err == nil {
		t.Error("no error")
	}
}

func TestNames(t *testing.T) {
	for i, want := range map[int]string{unix.CAP_CHOWN: "CAP_CHOWN", unix.CAP_NET_RAW: "CAP_NET_RAW", unix.CAP_SYS_ADMIN: "CAP_SYS_ADMIN", unix.CAP_BPF: "CAP_BPF", unix.CAP_LAST_CAP: "CAP_CHECKPOINT_RESTORE"} {
		if names[i] != want {
			t.Errorf("%d is %s, want %s", i, names[i], want)
		}
	}
	if len(names) != unix.CAP_LAST_CAP+1 {
		t.Errorf("%d names", len(names))
	}
}
