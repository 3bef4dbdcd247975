package render

import (
	"strconv"
	"testing"
)

// BenchmarkBatch renders the file of BenchmarkRender/device in batches of different sizes: bench/lanes compares it with
// and without lanes.
func BenchmarkBatch(b *testing.B) {
	e := newEngine(b, librarySource)
	for _, n := range []int{1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			w := e.Worker()
			batch := make([]Request, n)
			for i := range batch {
				batch[i] = request("device@020000000001")
			}
			for b.Loop() {
				w.RenderBatch(now, batch)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/file")
		})
	}
}
