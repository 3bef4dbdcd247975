package console

import (
	"strings"
	"testing"
	"time"
)

// Each TLV's octets stand in an element of their own, inside that of the TLV around it.
func TestHexView(t *testing.T) {
	x, _ := (&fake{}).Explain(t.Context(), Question{Name: "gold"})
	_, got, _ := strings.Cut(string(hexView(x.Body, x.Tree)), `<div class="octets">`)
	got, _, _ = strings.Cut(got, "</div>")
	want := `<span id="b0" data-tlv="0"><i>18 07</i> <span id="b1" data-tlv="1"><i>01 02</i> 00 01</span> <span id="b2" data-tlv="2"><i>06 01</i> 07</span></span> ` +
		`<span id="b3" data-tlv="3"><i>03 01</i> 01</span> <span id="b4" data-tlv="4"><i>ff</i></span> 00 00 00`
	if got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	// A file that is cut leaves no element open.
	cut := string(hexView(x.Body[:5], x.Tree))
	if strings.Count(cut, "<span") != strings.Count(cut, "</span>") {
		t.Error(cut)
	}
}

func TestText(t *testing.T) {
	for got, want := range map[string]string{
		num(0): "0", num(999): "999", num(uint64(1234567)): "1\u202f234\u202f567", num(-1000): "-1\u202f000",
		rateText(0): "0", rateText(0.04): "0.0", rateText(9.94): "9.9", rateText(12345.6): "12\u202f346",
		secsText(0): "—", secsText(12e-6): "12\u00a0µs", secsText(3.46e-3): "3.5\u00a0ms", secsText(2): "2.0\u00a0s",
		agoText(start, start.Add(59*time.Second)): "59\u00a0s", agoText(start, start.Add(61*time.Minute)): "1\u00a0h 1\u00a0min",
		agoText(start, start.Add(72*time.Hour)): "3\u00a0days", agoText(start.Add(time.Hour), start): "0\u00a0s",
		safeName("a/b\"c.cm"): "a_b_c.cm", safeName(".x"): "file.x", safeName(""): "file",
		macDigits("0a:01"): "0a01", macDigits("gold"): "", macDigits("ab"): "",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
