package lint_test

import (
	"testing"

	"dcs/render/lint"
)

// A file with both flows, an upgrade and some objects, as most operators have.
func BenchmarkCheck(b *testing.B) {
	f := file(b, sound+`SwUpgradeFilename "a.bin"; `+objects(6))
	b.ReportAllocs()
	for b.Loop() {
		lint.Check(f, &lint.Options{})
	}
}
