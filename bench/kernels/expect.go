package main

// expected are the outcomes by device: with the transports socket, xdp and auto, or when a member is pulled. Better is welcome, but what is to
// go by sockets.
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
	// XDP cannot see a tag that is kept beside the frame; sockets serve these.
	"VLAN, tags beside the frames": {bySockets, bySockets, bySockets},
}

// expect returns what a cell should be at least.
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

// worse reports whether a cell is worse than it should be.
func (c *cell) worse() bool {
	return c.Outcome < c.expect() || c.Transport == "socket" && c.Outcome > bySockets
}
