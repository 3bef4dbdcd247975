package cmts

import (
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// refuse returns the make's error for a command; some makes repeat the command.
func (t *terminal) refuse(line string) string {
	switch t.c.cfg.Make {
	case C4:
		return "Error: invalid input: " + line + "\n"
	case BSR:
		return "% Invalid input: " + line + "\n"
	case Cisco, C3:
	}
	return strings.Repeat(" ", len(t.prompt())) + "^\n% Invalid input detected at '^' marker.\n\n"
}

var (
	ciscoSecret = regexp.MustCompile(`^(no )?cable shared-(?:secret|secondary-secret index (\d+))(?: (?:0 )?(\S+))?$`)
	c4Secret    = regexp.MustCompile(`^configure cable shared-(secondary-)?secret (\S+)$`)
	bsrSecret   = regexp.MustCompile(`^(no )?cable shared-secret(?: 0 "([^"]*)")?$`)
)

// command executes a command, and returns its output.
func (t *terminal) command(line string) (out string, quit bool) {
	c := t.c
	switch {
	case line == "":
		return "", false
	case line == "exit" || line == "logout":
		return "", true
	case line == "enable":
		if c.cfg.Enable != "" && !t.privileged {
			password, err := t.ask("Password: ", false)
			if err != nil {
				return "", true
			}
			if password != c.cfg.Enable {
				return "% Access denied\n\n", false
			}
		}
		t.privileged = true
		return "", false
	case !t.privileged:
		return t.refuse(line), false
	case line == "write memory":
		c.mu.Lock()
		c.saves++
		c.mu.Unlock()
		return "Building configuration...\n[OK]\n", false
	}
	switch c.cfg.Make {
	case Cisco:
		return t.cisco(line), false
	case C4:
		if m := c4Secret.FindStringSubmatch(line); m != nil {
			at, key := slot{"", 0}, m[2]
			if m[1] != "" {
				at.index = 1
			}
			if key == "no" {
				key = ""
			}
			c.set(at, key)
			return "", false
		}
	case BSR:
		return t.bsr(line), false
	case C3:
	}
	return t.refuse(line), false
}

func (t *terminal) cisco(line string) string {
	c := t.c
	name, isInterface := strings.CutPrefix(line, "interface ")
	shown, isShow := strings.CutPrefix(line, "show running-config interface ")
	switch m := ciscoSecret.FindStringSubmatch(line); {
	case line == "terminal length 0":
		t.unpaged = true
	case strings.HasPrefix(line, "terminal width "):
	case line == "configure terminal" && t.mode == "":
		t.mode = "config"
		return "Enter configuration commands, one per line.  End with CNTL/Z.\n"
	case isInterface && t.mode != "" && slices.Contains(c.cfg.Interfaces, name):
		t.mode, t.iface = "config-if", name
	case line == "end" && t.mode != "":
		t.mode = ""
	case m != nil && t.mode == "config-if":
		index := 0
		if m[2] != "" {
			index, _ = strconv.Atoi(m[2])
			if index < 1 || index > 16 {
				return t.refuse(line)
			}
		}
		if (m[1] == "") == (m[3] == "") || len(m[3]) > 80 {
			return "% Incomplete command.\n\n"
		}
		c.set(slot{t.iface, index}, m[3])
	case isShow && t.mode == "" && slices.Contains(c.cfg.Interfaces, shown):
		return c.ciscoConfig(shown)
	default:
		return t.refuse(line)
	}
	return ""
}

func (c *CMTS) ciscoConfig(iface string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var b strings.Builder
	fmt.Fprintf(&b, "Building configuration...\n\nCurrent configuration : 1024 bytes\n!\ninterface %s\n ip address 10.1.1.1 255.255.255.0\n", iface)
	for i := range 12 {
		fmt.Fprintf(&b, " cable upstream %d power-level 0\n", i)
	}
	for index := range 17 {
		s := c.slots[slot{iface, index}]
		if s == "" {
			continue
		}
		if c.cfg.Encrypted {
			s = "7 " + encodeType7(s)
		}
		if index == 0 {
			fmt.Fprintf(&b, " cable shared-secret %s\n", s)
		} else {
			fmt.Fprintf(&b, " cable shared-secondary-secret index %d %s\n", index, s)
		}
	}
	b.WriteString(" cable dhcp-giaddr policy\nend\n\n")
	return b.String()
}

// encodeType7 encodes a text as IOS does with "service password-encryption", from the fourth octet of the key on.
func encodeType7(s string) string {
	const key, at = "dsfd;kfoA,.iyewrkldJKDHSUBsgvca69834ncxv9873254k;fg87", 3
	b := []byte(s)
	for i := range b {
		b[i] ^= key[(at+i)%len(key)]
	}
	return fmt.Sprintf("%02d%s", at, strings.ToUpper(hex.EncodeToString(b)))
}

func (t *terminal) bsr(line string) string {
	switch m := bsrSecret.FindStringSubmatch(line); {
	case line == "configure terminal" && t.mode == "":
		t.mode = "config"
	case line == "end" && t.mode != "":
		t.mode = ""
	case m != nil && t.mode == "config" && (m[1] == "") != (m[2] == ""):
		t.c.set(slot{"", 0}, m[2])
	default:
		return t.refuse(line)
	}
	return ""
}
