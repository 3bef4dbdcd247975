package render

import (
	"crypto/hmac"
	"crypto/md5"
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"

	"dcs/render/ber/mib"
	"dcs/render/mic"
	"dcs/render/syntax"
	"dcs/render/tlv"
)

// BenchmarkRender renders files of some 400 octets, in batches of 16.
func BenchmarkRender(b *testing.B) {
	e := newEngine(b, librarySource)
	for _, bm := range []struct{ what, name string }{
		{"static", "static"}, {"time+ip", "time+ip"}, {"device", "device@020000000001"}, {"varwidth", "varwidth@020000000001"},
	} {
		b.Run(bm.what, func(b *testing.B) {
			w := e.Worker()
			batch := make([]Request, 16)
			for i := range batch {
				batch[i] = request(bm.name)
			}
			b.ReportAllocs()
			for b.Loop() {
				w.RenderBatch(now, batch)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/16, "ns/file")
		})
	}
}

// BenchmarkKeyring renders files for modems behind many CMTSes, each with a secret of its
// own: up to 63 of them are remembered by each skeleton.
func BenchmarkKeyring(b *testing.B) {
	for _, name := range []string{"static", "time+ip"} {
		for _, secrets := range []int{0, 1, 60, 200} {
			b.Run(fmt.Sprintf("%s/cmts=%d", name, secrets), func(b *testing.B) {
				e := newEngine(b, librarySource)
				keyring, _ := keyringOf(b, secrets)
				e.SetKeyring(keyring)
				w := e.Worker()
				batch := make([]Request, 64)
				for i := range batch {
					batch[i] = request(name)
				}
				n := 0
				b.ReportAllocs()
				for b.Loop() {
					for i := range batch {
						n = (n + 37) % max(secrets, 1)
						batch[i].Client = netip.AddrFrom4([4]byte{198, 18, byte(n), byte(i)})
					}
					w.RenderBatch(now, batch)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/64, "ns/file")
			})
		}
	}
}

// BenchmarkNaive makes the file of BenchmarkRender/device as a straightforward server
// would: the text is parsed and the names are looked up already, each setting is encoded,
// and the MICs are computed by the standard library over the whole file.
func BenchmarkNaive(b *testing.B) {
	n := newNaive(b)
	b.ReportAllocs()
	for b.Loop() {
		n.build(512, now)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N), "ns/file")
}

// naive is the settings of the device template, keywords resolved.
type naive struct {
	enc   tlv.Encoder
	items []naiveItem
}

type naiveItem struct {
	def    *tlv.Def
	values []tlv.Value
	kids   []naiveItem
	down   bool // takes the device's rate
	time   bool
	ip     bool
}

func newNaive(t testing.TB) *naive {
	src := librarySource["blocks.dcs"] + librarySource["device.dcs"]
	f, err := syntax.Parse("naive.dcs", []byte(src), syntax.DCS)
	if err != nil {
		t.Fatal(err)
	}
	var walk func(body []syntax.Stmt, parent *tlv.Def) []naiveItem
	walk = func(body []syntax.Stmt, parent *tlv.Def) (out []naiveItem) {
		for _, st := range body {
			switch st := st.(type) {
			case *syntax.Include:
				out = append(out, walk(f.Items[0].Body, parent)...)
			case *syntax.Setting:
				def, _, ok := parent.Child(st.Keyword)
				if !ok {
					t.Fatal(st.Keyword)
				}
				it := naiveItem{def: def, kids: walk(st.Body, def)}
				var object *mib.Object
				for _, e := range st.Values {
					switch e := e.(type) {
					case *syntax.Number:
						it.values = append(it.values, tlv.Int(int64(e.Value)))
					case *syntax.Word:
						v := tlv.Value{Type: tlv.Word, Text: e.Text}
						if ref, err := mib.Default().Resolve(e.Text); err == nil {
							object, v.Text = ref.Object, "."+ref.OID.String()
						} else if object != nil {
							if n, ok := object.EnumValue(e.Text); ok {
								v = tlv.Int(n)
							}
						}
						it.values = append(it.values, v)
					case *syntax.Hex:
						it.values = append(it.values, tlv.Value{Type: tlv.Hex, Text: e.Text})
					case *syntax.String:
						text, _ := e.Literal()
						it.values = append(it.values, tlv.Value{Type: tlv.String, Text: text})
					case *syntax.Var:
						it.time, it.ip = e.Name == "time", e.Name == "ip"
					case *syntax.BinaryOp:
						it.down = true
					}
				}
				out = append(out, it)
			}
		}
		return out
	}
	return &naive{items: walk(f.Items[1].Body, tlv.Root(tlv.CM))}
}

func (n *naive) append(dst []byte, items []naiveItem, down int64, at int64) []byte {
	for i := range items {
		it := &items[i]
		switch {
		case it.def.Group():
			start := len(dst)
			dst = it.def.OpenGroup(dst)
			dst = n.append(dst, it.kids, down, at)
			dst, _ = it.def.CloseGroup(dst, start)
		case it.down:
			dst, _ = n.enc.AppendTLV(dst, it.def, tlv.FormPlain, []tlv.Value{tlv.Int(down * 1000)})
		case it.time:
			dst = append(dst, 19, 4)
			dst = binary.BigEndian.AppendUint32(dst, uint32(at/1e9+2208988800))
		case it.ip:
			a := client.As4()
			dst = append(append(dst, 20, 4), a[:]...)
		default:
			dst, _ = n.enc.AppendTLV(dst, it.def, tlv.FormPlain, it.values)
		}
	}
	return dst
}

func (n *naive) build(down, at int64) []byte {
	file := n.append(make([]byte, 0, 512), n.items, down, at)
	sum := md5.Sum(file)
	file = append(append(file, 6, 16), sum[:]...)
	mac := hmac.New(md5.New, []byte("DOCSIS"))
	for _, code := range mic.Order {
		_ = mic.Walk(file, func(off, _, end int, c uint8) bool {
			if c == code {
				mac.Write(file[off:end])
			}
			return true
		})
	}
	file = mac.Sum(append(file, 7, 16))
	return mic.AppendEnd(file)
}

// TestNaive holds the yardstick to the same file.
func TestNaive(t *testing.T) {
	e := newEngine(t, librarySource)
	r := []Request{request("device@020000000001")}
	e.Worker().RenderBatch(now, r)
	if got := newNaive(t).build(512, now); string(got) != string(r[0].Body) {
		t.Errorf("naive  %x\nengine %x", got, r[0].Body)
	}
}
