package console

import (
	"fmt"
	"html/template"
	"math"
	"strings"
)

// hexView shows octets in rows of 16 (of 8 on narrow screens). The octets of each TLV are in their own element, nested as the
// TLVs are; type and length are dimmed.
func hexView(file []byte, tree []TLV) template.HTML {
	var b strings.Builder
	b.WriteString(`<div class="hex">`)
	for _, w := range []struct {
		class string
		n     int
	}{{"wide", 16}, {"narrow", 8}} {
		fmt.Fprintf(&b, `<pre class="%s" aria-hidden="true">`, w.class)
		for at := 0; at < len(file); at += w.n {
			fmt.Fprintf(&b, "%04x\n", at)
		}
		b.WriteString("</pre>")
	}
	b.WriteString(`<div class="octets">`)
	at, spaced := 0, false
	gap := func() { // between octets, but not at the end of an element, which would highlight it
		if at > 0 && !spaced {
			b.WriteByte(' ')
		}
		spaced = true
	}
	octets := func(to int) {
		for ; at < min(to, len(file)); at++ {
			gap()
			fmt.Fprintf(&b, "%02x", file[at])
			spaced = false
		}
	}
	var ends []int // of the open TLVs
	closeUntil := func(offset int) {
		for len(ends) > 0 && ends[len(ends)-1] <= offset {
			octets(ends[len(ends)-1])
			b.WriteString("</span>")
			ends = ends[:len(ends)-1]
		}
	}
	for i, t := range tree {
		closeUntil(t.Offset)
		octets(t.Offset)
		gap()
		fmt.Fprintf(&b, `<span id="b%d" data-tlv="%d"><i>`, i, i)
		octets(t.Offset + t.Head)
		b.WriteString("</i>")
		ends = append(ends, t.Offset+t.Length)
	}
	closeUntil(math.MaxInt)
	octets(len(file))
	b.WriteString(`</div><pre class="wide" aria-hidden="true">`)
	for i, c := range file {
		if c < 0x20 || c > 0x7e {
			c = '.'
		}
		b.WriteString(template.HTMLEscapeString(string(rune(c))))
		if i%16 == 15 {
			b.WriteByte('\n')
		}
	}
	b.WriteString("</pre></div>")
	return template.HTML(b.String())
}
