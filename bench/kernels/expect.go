package main

// expected holds the outcomes by device with the transports socket, xdp and auto, or when a member is pulled. Better
// outcomes pass, except where sockets are expected.
var expected = map[string][]outcome{
	"veth":                       {bySockets, byXDP, byXDP},
	"bond active-backup":         {bySockets, byXDP, byXDP},
	"bond balance-xor":           {bySockets, byXDP, byXDP},
	"bond 802.3ad":               {bySockets, byXDP, byXDP},
	"team":                       {bySockets, byXDP, byXDP},
	"VLAN":                       {bySockets, byXDP, byXDP},
	"QinQ":                       {bySockets, byXDP, byXDP},
	"VLAN on bond active-backup": {bySockets, byXDP, byXDP},
	"VRF":                        {bySockets, byXDP, byXDP},
	"dummy":                      {bySockets, byXDP, byXDP},
	// XDP does not see a tag in the frame's metadata; sockets serve these.
	"VLAN, tags beside the frames": {bySockets, bySockets, bySockets},
}

// expect returns the least outcome that a cell should have.
func (c *cell) expect() outcome {
	if c.Transport == pulled {
		return byXDP
	}
	for i, t := range transports {
		if all := expected[c.Device]; t == c.Transport && all != nil {
			return all[i]
		}
	}
	return byXDP
}

// worse reports whether a cell is worse than expected.
func (c *cell) worse() bool {
	return c.Outcome < c.expect() || c.Transport == "socket" && c.Outcome > bySockets
}
