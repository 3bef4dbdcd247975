package render_test

import (
	"fmt"
	"log"
	"net/netip"
	"os"
	"path/filepath"

	"dcs/render"
	"dcs/render/device"
	"dcs/render/library"
	"dcs/render/mic"
	"dcs/render/tlv"
)

// A library of one template serves every name that its pattern matches.
func Example() {
	dir, err := os.MkdirTemp("", "library")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	const template = `Main ~ "^cpe(?P<cpe>[0-9]+)\.cm$" { NetworkAccess 1; MaxCPE $cpe; }`
	if err := os.WriteFile(filepath.Join(dir, "modem.dcs"), []byte(template), 0o600); err != nil {
		log.Fatal(err)
	}

	engine, err := render.NewEngine(render.Config{
		Library: library.Config{Dirs: []string{dir}},
		Keyring: mic.KeyringOf(mic.NewSecret([]byte("secret"))),
	})
	if err != nil {
		log.Fatal(err)
	}
	worker := engine.Worker() // one for each goroutine
	requests := []render.Request{
		{Requester: device.Requester{Name: []byte("cpe5.cm"), Client: netip.MustParseAddr("198.18.0.2")}},
		{Requester: device.Requester{Name: []byte("other.cm"), Client: netip.MustParseAddr("198.18.0.3")}},
	}
	worker.RenderBatch(0, requests)

	file, err := tlv.Decode(requests[0].Body)
	if err != nil {
		log.Fatal(err)
	}
	for _, t := range file.Nodes {
		if t.Code == 3 || t.Code == 18 {
			fmt.Printf("%s % x\n", t.Def.Name, t.Value)
		}
	}
	fmt.Println(requests[1].Err)
	// Output:
	// NetworkAccess 01
	// MaxCPE 05
	// file does not exist
}
