package main

import (
	"strings"
	"testing"
)

func TestTable(t *testing.T) {
	list := []variant{{name: "AVX-512"}, {name: "none"}}
	rows := map[int][][]float64{1: {{90, 110, 90}, {100, 100, 100}}, 16: {{300, 330, 270}, {100, 100, 90}}}
	var b strings.Builder
	err := table(&b, "n", list, []int{1, 16}, rows, 0.03, func(v, none float64) float64 { return v / none })
	if err == nil || err.Error() != "n 1: AVX-512 is 0.90 of the speed without lanes" {
		t.Errorf("%v", err)
	}
	for _, want := range []string{"| n | AVX-512 | × none | none |", "| 1 | 90 | 0.90 **MISSED** | 100 |", "| 16 | 300 | 3.00 | 100 |"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is missing in\n%s", want, &b)
		}
	}
	if err := table(&b, "n", list, []int{1, 16}, rows, 0.1, func(v, none float64) float64 { return v / none }); err != nil {
		t.Errorf("within the tolerance: %v", err)
	}
}

func TestBenchLine(t *testing.T) {
	m := benchLine.FindAllStringSubmatch("BenchmarkBatch/16    	   41224	      4570 ns/op	       285.6 ns/file\nBenchmarkBatch/1-2 	 1	 9 ns/op	 9 ns/file\n", -1)
	if len(m) != 2 || m[0][1] != "16" || m[0][2] != "285.6" || m[1][1] != "1" || m[1][2] != "9" {
		t.Errorf("%q", m)
	}
}
