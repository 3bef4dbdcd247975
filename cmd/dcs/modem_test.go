package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// A modem asks as itself, or a proxy for it.
type modem struct {
	from    string   // its address; "": 127.0.0.1
	options []string // names and values in turn
}

var errSilent = errors.New("no answer")

// get fetches a file of any size, asking once.
func (m modem) get(port, name string) ([]byte, error) {
	from := m.from
	if from == "" {
		from = "127.0.0.1"
	}
	local := &net.UDPAddr{IP: net.ParseIP(from)}
	c, err := net.ListenUDP("udp", local)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	server, err := net.ResolveUDPAddr("udp", "127.0.0.1:"+port)
	if err != nil {
		return nil, err
	}
	rrq := append([]byte{0, 1}, name+"\x00octet\x00"...)
	for _, o := range m.options {
		rrq = append(rrq, o+"\x00"...)
	}
	if _, err := c.WriteTo(rrq, server); err != nil {
		return nil, err
	}
	var file []byte
	next := uint16(1)
	buf := make([]byte, 2048)
	for {
		if err := c.SetReadDeadline(time.Now().Add(2 * time.Second)); err != nil {
			return nil, err
		}
		n, peer, err := c.ReadFromUDP(buf)
		if err != nil {
			return nil, errSilent
		}
		block := uint16(buf[2])<<8 | uint16(buf[3])
		switch buf[1] {
		case 5:
			return nil, fmt.Errorf("ERROR %d", block)
		case 6:
			block = 0
		case 3:
			if block == next {
				file = append(file, buf[4:n]...)
				next++
			}
		}
		if _, err := c.WriteTo([]byte{0, 4, byte(block >> 8), byte(block)}, peer); err != nil {
			return nil, err
		}
		if buf[1] == 3 && n < 4+512 {
			return file, nil
		}
	}
}

// deviceFiles writes files into a directory of their own and returns it.
func deviceFiles(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if name == "dcs.yaml" {
			text = listening(t, text)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// short silences what dcs check says of templates that are shorter than a modem's.
const short = "# dcs:allow net-access-missing, qos-missing\n"

// deviceLibrary has templates that a device's attributes choose and fill in.
var deviceLibrary = map[string]string{
	"library/profiles.dcs": `
Block gold { MaxCPE 16; UsServiceFlow { UsServiceFlowRef 1; QosParamSetType 7; MaxRateSustained $down * 1000; } }
Block bronze { MaxCPE 1; }
`,
	"library/modem.dcs": "Main { NetworkAccess 1; include $profile; }\n",
	"library/flat.dcs":  "Main { default down 5; MaxCPE $down; } " + short,
	"library/named.dcs": "Main ~ \"^cm-(?P<mac>[0-9a-f]{12})\\.cfg$\" { include $profile; TftpModemAddress $ip; }\n",
	"library/addr.dcs":  "Main { default profile none; SwUpgradeFilename \"$profile\"; TftpModemAddress $ip; } " + short,
}

func withDevices(config string, more map[string]string) map[string]string {
	files := map[string]string{"dcs.yaml": "library: library\ndevices_dir: state\n" + config}
	for name, text := range deviceLibrary {
		files[name] = text
	}
	for name, text := range more {
		files[name] = text
	}
	return files
}

// made returns what compile makes of a source.
func made(t *testing.T, source string) []byte {
	t.Helper()
	got := dcs(source, "compile", "-", "--ip", "127.0.0.1")
	if got.status != done {
		t.Fatal(got.stderr)
	}
	return []byte(got.stdout)
}

const (
	goldFile   = "Main { NetworkAccess 1; MaxCPE 16; UsServiceFlow { UsServiceFlowRef 1; QosParamSetType 7; MaxRateSustained 50000; } }"
	bronzeFile = "Main { NetworkAccess 1; MaxCPE 1; }"
)

const fleetCSV = `mac,ip,profile,down
02:00:00:00:00:01,,gold,50
02:00:00:00:00:02,127.0.0.2,bronze,
,127.0.0.3,gold,50
02:00:00:00:00:04,,gold,5000000
02:00:00:00:00:05,,platinum,1
02:00:00:00:00:06,,,1
`
