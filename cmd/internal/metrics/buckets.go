package metrics

// Buckets are a histogram of times.
type Buckets struct {
	Bounds []float64 `json:"bounds"` // upper bounds in seconds, ascending
	Counts []uint64  `json:"counts"` // in each bucket, and above the last bound
	Sum    float64   `json:"sum"`    // of all times, in seconds
}

// Count returns the number of times counted.
func (b Buckets) Count() uint64 {
	n := uint64(0)
	for _, c := range b.Counts {
		n += c
	}
	return n
}

// Since returns what was counted after before. If before has other bounds or higher counts, the server was restarted, and Since
// returns b.
func (b Buckets) Since(before Buckets) Buckets {
	if len(b.Counts) != len(before.Counts) {
		return b
	}
	d := Buckets{Bounds: b.Bounds, Counts: make([]uint64, len(b.Counts)), Sum: max(b.Sum-before.Sum, 0)}
	for i, n := range b.Counts {
		if n < before.Counts[i] {
			return b
		}
		d.Counts[i] = n - before.Counts[i]
	}
	return d
}

// Quantile returns the q-quantile, q from 0 to 1, in seconds. It interpolates linearly within a bucket; times above the last
// bound count as that bound. It is 0 if nothing was counted.
func (b Buckets) Quantile(q float64) float64 {
	rank, below := q*float64(b.Count()), 0.0
	for i, c := range b.Counts {
		if n := float64(c); n > 0 && below+n >= rank {
			if i == len(b.Bounds) {
				return b.last()
			}
			low := 0.0
			if i > 0 {
				low = b.Bounds[i-1]
			}
			return low + (b.Bounds[i]-low)*max(rank-below, 0)/n
		}
		below += float64(c)
	}
	return 0
}

func (b Buckets) last() float64 {
	if len(b.Bounds) == 0 {
		return 0
	}
	return b.Bounds[len(b.Bounds)-1]
}

// exposed are the bounds for Prometheus: one per octave is fine enough for a graph, and no modem waits longer than the last, 8.6 s.
var exposed = func() (bounds []float64) {
	for ns := int64(2048); ns <= 1<<33; ns *= 2 {
		bounds = append(bounds, float64(ns)/1e9)
	}
	return bounds
}()

// cumulative returns, for each exposed bound, how many times were at most that bound.
func (b Buckets) cumulative() map[float64]uint64 {
	out := make(map[float64]uint64, len(exposed))
	n, i := uint64(0), 0
	for _, bound := range exposed {
		for ; i < len(b.Bounds) && b.Bounds[i] <= bound; i++ {
			n += b.Counts[i]
		}
		out[bound] = n
	}
	return out
}
