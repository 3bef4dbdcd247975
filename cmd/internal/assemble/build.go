package assemble

import (
	"context"
	"io"

	"dcs/cmd/internal/progress"
	"dcs/render/attr"
	"dcs/render/attr/localdb"
)

// BuildDevices makes a file of a source's devices, with progress on a terminal.
func BuildDevices(ctx context.Context, stderr io.Writer, path string, src attr.Source) (attr.Built, error) {
	bar := progress.New(stderr, "devices", 0)
	defer bar.Close()
	return attr.Build(ctx, path, src, localdb.Options{}, func(n int) { bar.Set(int64(n)) })
}
