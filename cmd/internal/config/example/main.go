// Command example writes the commented example configuration to the file named by its first argument. Further arguments such as
// transport=socket replace defaults. A file whose name ends in .md gets the manual's reference of keys instead.
package main

import (
	"log"
	"os"
	"strings"

	"dcs/cmd/internal/config"
)

func main() {
	set := map[string]string{}
	for _, arg := range os.Args[2:] {
		key, value, _ := strings.Cut(arg, "=")
		set[key] = value
	}
	text := config.Example(set)
	if strings.HasSuffix(os.Args[1], ".md") {
		text = config.Reference()
	}
	if err := os.WriteFile(os.Args[1], []byte(text), 0o644); err != nil {
		log.Fatal(err)
	}
}
