package render

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"dcs/render/device"
)

func TestExplain(t *testing.T) {
	e := newEngine(t, map[string]string{
		"m.dcs": `Block common { default down 64; DsServiceFlow { MaxRateSustained $down * 1000; } }
			Main ~ "^cm-(?P<tier>[0-9]+)$" priority 2 { default name "nobody"; MaxCPE $tier; SwUpgradeFilename "$name"; include common; TftpModemAddress $ip; }
			Main ~ "^cm-.*" priority 1 { NetworkAccess 1; }
			Main "cm-9" { NetworkAccess 0; }`,
	})
	uses := func(x *Explanation) string {
		var b strings.Builder
		for _, u := range x.Uses {
			from := u.From
			if u.Default {
				from = "default"
			}
			fmt.Fprintf(&b, "%s=%s (%s); ", u.Name, u.Value, from)
		}
		return b.String()
	}
	for _, tt := range []struct{ name, uses string }{
		{"/cm-7@020000000001", "tier=7 (the name asked for); name=gold (the device); down=512 (the device); ip=198.18.5.9 (the modem's address); "},
		{"cm-7", "tier=7 (the name asked for); name=nobody (default); down=64 (default); ip=198.18.5.9 (the modem's address); "},
	} {
		x := e.Explain(now, request(tt.name))
		if x.Err != nil || x.Name != "cm-7" || len(x.Matches) != 2 || x.Matches[0].Template.Priority != 2 || len(x.Slots) != 3 {
			t.Errorf("%s: %+v", tt.name, x)
		}
		if got := uses(x); got != tt.uses {
			t.Errorf("%s: uses\n%s, want\n%s", tt.name, got, tt.uses)
		}
		r := []Request{request(tt.name)}
		if e.Worker().RenderBatch(now, r); string(r[0].Body) != string(x.Body) {
			t.Errorf("%s: explained and served differ", tt.name)
		}
	}
	if x := e.Explain(now, request("cm-9")); !x.Matches[0].Literal || len(x.Matches) != 3 {
		t.Errorf("cm-9: %+v", x.Matches)
	}
	if x := e.Explain(now, request("none")); x.Err == nil {
		t.Error("none is explained without an error")
	}
}

// What is explained is what a worker answers, error for error and octet for octet, and counts nowhere.
func TestExplainIsARender(t *testing.T) {
	sources := map[string]string{
		"mac.dcs": `Main ~ "^mac-(?P<mac>[0-9a-f]+)$" { NetworkAccess 1; }`,
	}
	maps.Copy(sources, librarySource)
	faults := 0
	e := newEngine(t, sources)
	e.cfg.OnFault = func(*device.Outcome) { faults++ }
	w := e.Worker()
	for _, name := range []string{
		"static", "time+ip", "varwidth@020000000001", "device@020000000001", "device@020000000002", "device", "isrrip8bw2.bin", "isrrip8bw3.bin",
		"router-a7.conf", "none", "none@020000000001", "a/../b", "mac-020000000001", "mac-0200", "mac-000000000000", "static@000000000000",
	} {
		before, told := e.Stats(), faults
		x := e.Explain(now, request(name))
		if after := e.Stats(); after.Faults != before.Faults || after.Unknown != before.Unknown || after.Files != before.Files || faults != told {
			t.Errorf("%s: explaining it counts", name)
		}
		r := []Request{request(name)}
		w.RenderBatch(now, r)
		if fmt.Sprint(x.Err) != fmt.Sprint(r[0].Err) || string(x.Body) != string(r[0].Body) {
			t.Errorf("%s: explained as %v, %x\nserved as %v, %x", name, x.Err, x.Body, r[0].Err, r[0].Body)
		}
		if x.MAC != r[0].MAC {
			t.Errorf("%s: explained for %v, served for %v", name, x.MAC, r[0].MAC)
		}
	}
}
