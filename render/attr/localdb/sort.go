package localdb

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/binary"
	"io"
	"os"
	"slices"
)

// sorter sorts records of one size by their first octets in bounded memory: what does not fit is written to a file in sorted
// runs, which are merged. The sort is stable.
type sorter struct {
	size, key int // octets of a record, and of its key, at least 8
	dir       string
	limit     int // records held in memory

	n    int
	recs []byte
	keys []sortKey
	file *os.File
	at   int64
	runs []section
}

// sortKey is a record's index and the beginning of its key, so that few comparisons read records.
type sortKey struct {
	key uint64
	i   uint32
}

func newSorter(dir string, size, key, memory int) *sorter {
	limit := max(memory/(size+16), 16)
	return &sorter{size: size, key: key, dir: dir, limit: limit}
}

// add copies rec.
func (s *sorter) add(rec []byte) error {
	if len(s.keys) == s.limit {
		if err := s.spill(); err != nil {
			return err
		}
	}
	if len(s.keys) == cap(s.keys) { // append alone grows large slices by quarters, and copies them often
		n := min(max(2*len(s.keys), 1024), s.limit)
		s.keys = slices.Grow(s.keys, n-len(s.keys))
		s.recs = slices.Grow(s.recs, n*s.size-len(s.recs))
	}
	s.keys = append(s.keys, sortKey{binary.BigEndian.Uint64(rec), uint32(len(s.keys))})
	s.recs = append(s.recs, rec...)
	s.n++
	return nil
}

func (s *sorter) rec(i uint32) []byte {
	return s.recs[int(i)*s.size : (int(i)+1)*s.size]
}

func (s *sorter) sort() {
	slices.SortFunc(s.keys, func(a, b sortKey) int {
		if a.key != b.key {
			return cmp.Compare(a.key, b.key)
		}
		if c := bytes.Compare(s.rec(a.i)[8:s.key], s.rec(b.i)[8:s.key]); c != 0 {
			return c
		}
		return cmp.Compare(a.i, b.i)
	})
}

// spill writes the records in memory as a run.
func (s *sorter) spill() error {
	if s.file == nil {
		f, err := unnamed(s.dir)
		if err != nil {
			return err
		}
		s.file = f
	}
	s.sort()
	w := bufio.NewWriterSize(&offsetWriter{s.file, s.at}, 1<<18)
	for _, k := range s.keys {
		if _, err := w.Write(s.rec(k.i)); err != nil {
			return err
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	n := int64(len(s.keys)) * int64(s.size)
	s.runs = append(s.runs, section{uint64(s.at), uint64(n)})
	s.at += n
	s.recs, s.keys = s.recs[:0], s.keys[:0]
	return nil
}

// done frees the memory and the file. It may be called again.
func (s *sorter) done() {
	if s.file != nil {
		s.file.Close()
	}
	s.file, s.recs, s.keys, s.runs = nil, nil, nil, nil
}

// each calls f for every record in order, and frees the sorter. rec is valid during the call only.
func (s *sorter) each(f func(rec []byte) error) error {
	defer s.done()
	if s.file == nil {
		s.sort()
		for _, k := range s.keys {
			if err := f(s.rec(k.i)); err != nil {
				return err
			}
		}
		return nil
	}
	if len(s.keys) > 0 {
		if err := s.spill(); err != nil {
			return err
		}
	}
	s.recs, s.keys = nil, nil
	return s.merge(f)
}

// run reads a sorted run.
type run struct {
	r   *bufio.Reader
	rec []byte
	i   int
}

func (s *sorter) merge(f func(rec []byte) error) error {
	heap := make([]*run, 0, len(s.runs))
	less := func(a, b *run) bool {
		c := bytes.Compare(a.rec[:s.key], b.rec[:s.key])
		return c < 0 || c == 0 && a.i < b.i
	}
	down := func(i int) {
		for {
			child := 2*i + 1
			if child >= len(heap) {
				return
			}
			if child+1 < len(heap) && less(heap[child+1], heap[child]) {
				child++
			}
			if !less(heap[child], heap[i]) {
				return
			}
			heap[i], heap[child] = heap[child], heap[i]
			i = child
		}
	}
	for i, sec := range s.runs {
		r := &run{
			r:   bufio.NewReaderSize(io.NewSectionReader(s.file, int64(sec.off), int64(sec.len)), 1<<17),
			rec: make([]byte, s.size), i: i,
		}
		if _, err := io.ReadFull(r.r, r.rec); err != nil {
			return err
		}
		heap = append(heap, r)
	}
	for i := len(heap) / 2; i >= 0; i-- {
		down(i)
	}
	for len(heap) > 0 {
		top := heap[0]
		if err := f(top.rec); err != nil {
			return err
		}
		switch _, err := io.ReadFull(top.r, top.rec); err {
		case nil:
		case io.EOF:
			heap[0] = heap[len(heap)-1]
			heap = heap[:len(heap)-1]
		default:
			return err
		}
		down(0)
	}
	return nil
}

// offsetWriter writes to a file, starting at an offset.
type offsetWriter struct {
	f   *os.File
	off int64
}

func (w *offsetWriter) Write(p []byte) (int, error) {
	n, err := w.f.WriteAt(p, w.off)
	w.off += int64(n)
	return n, err
}
