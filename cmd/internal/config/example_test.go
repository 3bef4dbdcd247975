package config_test

import (
	"fmt"
	"log"
	"os"
	"path/filepath"

	"dcs/cmd/internal/config"
)

func ExampleConfig_Load() {
	dir, err := os.MkdirTemp("", "config")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "dcs.yaml")
	if err := os.WriteFile(file, []byte("library: [/etc/dcs/library]\nlisten: 198.18.0.1:69\nrate: 50\n"), 0o600); err != nil {
		log.Fatal(err)
	}
	c := config.Default()
	if err := c.Load(file); err != nil {
		log.Fatal(err)
	}
	if err := c.Validate(); err != nil {
		log.Fatal(err)
	}
	defaults := config.Default()
	fmt.Println(c.Listen, c.Rate, c.StaleAfter, c.Differences(&defaults))
	// Output: [198.18.0.1:69] 50 4s [listen rate library]
}
