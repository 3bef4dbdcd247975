package skeleton

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"dcs/render/mic"
)

// gen writes random templates twice: with variables, and with the values in their place.
type gen struct {
	*rand.Rand
	b     bench
	dyn   strings.Builder
	plain strings.Builder
}

// give makes a variable that has that value, from a capture, an attribute or a default.
func (g *gen) give(value string) string {
	n := fmt.Sprintf("v%d", len(g.b.schema)+len(g.b.pattern))
	switch g.IntN(4) {
	case 0:
		g.b.pattern, g.b.captures = append(g.b.pattern, n), append(g.b.captures, value)
	case 1: // the device lacks it
		g.b.schema, g.b.record = append(g.b.schema, n), append(g.b.record, "")
		g.b.src += fmt.Sprintf("default %s %q; ", n, value)
	default:
		g.b.schema, g.b.record = append(g.b.schema, n), append(g.b.record, value)
	}
	return "${" + n + "}"
}

func (g *gen) both(s string) { g.dyn.WriteString(s); g.plain.WriteString(s) }

func (g *gen) put(dyn, plain string) { g.dyn.WriteString(dyn); g.plain.WriteString(plain) }

func (g *gen) word(most int) string {
	b := make([]byte, 1+g.IntN(most))
	for i := range b {
		b[i] = "abcdefghijklmnop-0123"[g.IntN(21)]
	}
	return string(b)
}

func (g *gen) setting() {
	switch g.IntN(12) {
	case 0:
		g.both(fmt.Sprintf("MaxCPE %d; ", g.IntN(256)))
	case 1:
		n := g.IntN(200)
		g.put("MaxCPE "+g.give(fmt.Sprint(n))+" + 5; ", fmt.Sprintf("MaxCPE %d; ", n+5))
	case 2:
		s := g.word(40)
		g.put(`SwUpgradeFilename "fw`+g.give(s)+`"; `, `SwUpgradeFilename "fw`+s+`"; `)
	case 3:
		s := g.word(15)
		g.both("UsServiceFlow { UsServiceFlowRef 1; ")
		g.put(`ServiceClassName "`+g.give(s)+`"; `, `ServiceClassName "`+s+`"; `)
		n := g.IntN(1e6)
		g.put("MaxRateSustained "+g.give(fmt.Sprint(n))+"*1000; } ", fmt.Sprintf("MaxRateSustained %d; } ", n*1000))
	case 4:
		s := g.word(120)
		g.put(`SnmpMibObject sysLocation.0 String "`+g.give(s)+`"; `, `SnmpMibObject sysLocation.0 String "`+s+`"; `)
	case 5:
		n := g.IntN(1<<31) - 1<<30
		g.put("SnmpMibObject .1.3.6.1.4.1.4491.1.1.0 Integer "+g.give(fmt.Sprint(n))+"; ", fmt.Sprintf("SnmpMibObject .1.3.6.1.4.1.4491.1.1.0 Integer %d; ", n))
	case 6:
		g.put("TftpTimestamp $time; ", fmt.Sprintf("TftpTimestamp %d; ", g.b.values.seconds()))
	case 7:
		g.put("TftpModemAddress $ip; ", "TftpModemAddress "+g.b.values.IP.String()+"; ")
	case 8:
		x := "0x" + hex.EncodeToString([]byte(g.word(30)))
		g.put("VendorSpecific { VendorIdentifier 0x0000ca; GenericTLV TlvCode 9 TlvValue "+g.give(x)+"; } ",
			"VendorSpecific { VendorIdentifier 0x0000ca; GenericTLV TlvCode 9 TlvValue "+x+"; } ")
	case 9:
		tier := g.IntN(3)
		g.put("select "+g.give(fmt.Sprint(tier))+" { 0 { NetworkAccess 0; } 1 { NetworkAccess 1; MaxClassifiers 7; } default { GlobalPrivacyEnable 1; } } ",
			[]string{"NetworkAccess 0; ", "NetworkAccess 1; MaxClassifiers 7; ", "GlobalPrivacyEnable 1; "}[tier])
	case 10:
		a := netip.AddrFrom4([4]byte{198, 18, byte(g.IntN(256)), byte(g.IntN(256))}).String()
		g.put("SnmpMibObject docsDevNmAccessIp.1 IPAddress "+g.give(a)+"; SwUpgradeServer "+g.give(a)+"; ",
			"SnmpMibObject docsDevNmAccessIp.1 IPAddress "+a+"; SwUpgradeServer "+a+"; ")
	case 11:
		if g.IntN(4) == 0 {
			digest := ""
			if g.IntN(2) == 0 {
				digest = "ExtendedCMTSMICHMACDigest 0x00000000000000000000000000000000; "
			}
			if !strings.Contains(g.plain.String(), "ffffff") {
				g.both("VendorSpecific { VendorIdentifier 0xffffff; ExtendedCMTSMICConfiguration { ExtendedCMTSMICHMACDigestType 1; ExtendedCMTSMICHMACBitmap 0x" +
					hex.EncodeToString([]byte{byte(g.IntN(64)) << 2, byte(g.IntN(256)), byte(g.IntN(256)), byte(g.IntN(256))}) + "; " + digest + "} } ")
			}
		}
	}
}

// TestRenderIsCompile holds a rendered template against the same template with the values
// written in by hand and signed as a whole.
func TestRenderIsCompile(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rounds := 2000
	if testing.Short() {
		rounds = 200
	}
	for i := range rounds {
		g := &gen{Rand: rand.New(rand.NewPCG(seed, uint64(i)))}
		g.b.values = modem4
		g.b.values.Now += int64(g.IntN(1e9)) * 1e9
		g.b.src = "Main { "
		for range 1 + g.IntN(12) {
			g.setting()
		}
		g.b.src += g.dyn.String() + "}"
		plain := bench{src: "Main { " + g.plain.String() + "}"}
		got, fault := g.b.render(t)
		tm, err := plain.template(t)
		if err != nil {
			t.Fatalf("round %d: %v\n%s", i, err, plain.src)
		}
		s, fault2 := tm.Specialize(Name{})
		if fault2 != nil {
			t.Fatalf("round %d: %v\n%s", i, fault2, plain.src)
		}
		want, err := mic.Sign(append([]byte(nil), s.base...), secret)
		if err != nil {
			t.Fatal(err)
		}
		if fault != nil || !bytes.Equal(got, want) {
			t.Fatalf("round %d: %v\n%s\n%s\ngot  %x\nwant %x", i, fault, g.b.src, plain.src, got, want)
		}
	}
}
