package syntax_test

import (
	"fmt"
	"log"

	"dcs/render/syntax"
)

func ExampleParse() {
	file, err := syntax.Parse("modems.dcs", []byte(`
Block base { NetworkAccess 1; }
Main "gold.cm" { include base; }
Main ~ "^lab-" { include base; }
`), syntax.DCS)
	if err != nil {
		log.Fatal(err)
	}
	for _, item := range file.Items {
		fmt.Println(item.Pos, item.Kind, item.Name, len(item.Body))
	}

	_, err = syntax.Parse("modems.dcs", []byte("Main { MaxCPE 5 }"), syntax.DCS)
	fmt.Println(err)
	// Output:
	// modems.dcs:2:1 Block base 1
	// modems.dcs:3:1 Main gold.cm 1
	// modems.dcs:4:1 Main ^lab- 1
	// modems.dcs:1:16: MaxCPE has no ; at its end; add it here, before "}"
}
