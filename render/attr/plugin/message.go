package plugin

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"

	"dcs/render/attr"
	"dcs/render/device"
)

// message is a line written by the plug-in.
type message struct {
	Hello      *int     `json:"hello"`
	Attributes []string `json:"attributes"`
	List       bool     `json:"list"`
	Ask        bool     `json:"ask"`

	ID    *uint64          `json:"id"`
	Found *bool            `json:"found"`
	MAC   string           `json:"mac"`
	IP    string           `json:"ip"`
	Attrs map[string]value `json:"attrs"`
	Gone  bool             `json:"gone"`

	End     bool       `json:"end"`
	Count   *int       `json:"count"`
	Error   string     `json:"error"`
	Changed []*message `json:"changed"`
	Reload  bool       `json:"reload"`
}

// value is the value of an attribute: a string, a number as written, a boolean as 1 or 0, null as none.
type value struct {
	text string
	bad  bool // a list or an object
}

func (v *value) UnmarshalJSON(b []byte) error {
	v.text, v.bad = "", false
	switch b[0] {
	case '"':
		return json.Unmarshal(b, &v.text)
	case 't':
		v.text = "1"
	case 'f':
		v.text = "0"
	case 'n':
	case '[', '{':
		v.bad = true
	default:
		v.text = string(b)
	}
	return nil
}

// device stores a message in d, and reuses d.Values.
func (p *process) device(m *message, d *attr.Device) error {
	d.MAC, d.IP = device.MAC{}, netip.Addr{}
	if m.MAC != "" {
		mac, err := device.ParseMAC(m.MAC)
		if err != nil {
			return fmt.Errorf("%s is %w", printable(m.MAC), err)
		}
		d.MAC = mac
	}
	if m.IP != "" {
		ip, err := netip.ParseAddr(m.IP)
		if err != nil {
			return fmt.Errorf("%s is not an IP address", printable(m.IP))
		}
		d.IP = ip.Unmap().WithZone("")
	}
	if d.MAC.IsZero() && !d.IP.IsValid() {
		return errors.New("device with neither mac nor ip")
	}
	return p.values(m, d)
}

func (p *process) values(m *message, d *attr.Device) error {
	if d.Values == nil {
		d.Values = make([]string, len(p.index))
	}
	clear(d.Values)
	for n, v := range m.Attrs {
		if v.bad {
			return fmt.Errorf("attribute %s is a list or an object", printable(n))
		}
		i, known := p.index[n]
		if !known {
			p.warnUnknown(n)
			continue
		}
		d.Values[i] = v.text
	}
	return nil
}

func (p *process) warnUnknown(name string) {
	p.mu.Lock()
	reported := p.unknown[name] || len(p.unknown) >= maxReported
	if !reported {
		p.unknown[name] = true
	}
	p.mu.Unlock()
	if !reported {
		p.cfg.Warn(fmt.Errorf("%s: attribute %s is not in the hello; left out", p.cfg.Name, printable(name)))
	}
}
