package library_test

import (
	"fmt"
	"log"

	"dcs/render/library"
)

func ExampleLoadFile() {
	const source = `
Block base { NetworkAccess 1; }
Main "gold.cm" { include base; MaxCPE 16; }
Main ~ "^lab-[0-9]+$" { include base; MaxCPE 1; }
`
	snapshot, err := library.LoadFile(library.Config{}, "modems.dcs", []byte(source))
	if err != nil {
		log.Fatal(err)
	}
	for _, name := range []string{"gold.cm", "lab-7", "silver.cm"} {
		if found := snapshot.Find([]byte(name)); found != nil {
			fmt.Println(name, "is made by the template at", found.Template.Pos())
		} else {
			fmt.Println(name, "is unknown")
		}
	}
	// Output:
	// gold.cm is made by the template at modems.dcs:3:1
	// lab-7 is made by the template at modems.dcs:4:1
	// silver.cm is unknown
}
