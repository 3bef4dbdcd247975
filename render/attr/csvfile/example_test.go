package csvfile_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"dcs/render/attr"
	"dcs/render/attr/csvfile"
)

// A row without a usable address is left out, and counted.
func Example() {
	dir, err := os.MkdirTemp("", "csvfile")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "devices.csv")
	text := "mac,ip,profile,down\n0a:01:02:03:04:05,10.1.2.3,gold,1000\nunknown,,silver,100\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		log.Fatal(err)
	}
	src := csvfile.New(csvfile.Config{Path: path, MaxRejected: 1})
	defer src.Close()
	ctx := context.Background()
	names, err := src.Open(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(names)
	err = src.Load(ctx, func(d *attr.Device) error {
		fmt.Println(d.MAC, d.IP, d.Values)
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(src.(attr.Rejecter).Rejected().First)
	// Output:
	// [profile down]
	// 0a:01:02:03:04:05 10.1.2.3 [gold 1000]
	// [line 3: "unknown" is not a MAC address]
}
