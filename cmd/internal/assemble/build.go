package assemble

import (
	"context"
	"io"

	"dcs/cmd/internal/progress"
	"dcs/render/attr"
	"dcs/render/attr/localdb"
	"dcs/render/attr/store"
)

// BuildDevices writes a source's devices to a file, and shows progress if stderr is a terminal.
func BuildDevices(ctx context.Context, stderr io.Writer, path string, src attr.Source) (store.Built, error) {
	bar := progress.New(stderr, "devices", 0)
	defer bar.Close()
	return store.Build(ctx, path, src, localdb.Options{}, func(n int) { bar.Set(int64(n)) })
}
