package render

import (
	"fmt"
	"strings"
	"testing"
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
