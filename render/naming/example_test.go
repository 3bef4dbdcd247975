package naming_test

import (
	"fmt"
	"log"

	"dcs/render/naming"
)

func ExampleRules_Read() {
	rules, err := naming.New(naming.Config{
		Backslash: true,
		Roots:     []string{"/tftpboot"},
		Rewrite:   []naming.Rule{{Match: `\.cfg$`, To: ".cm", Rewrite: true}},
	})
	if err != nil {
		log.Fatal(err)
	}
	var scratch naming.Scratch
	for _, requested := range []string{`\tftpboot\gold.cfg`, "gold.cm@0a0102030405", "../passwd"} {
		name := rules.Read([]byte(requested), true, &scratch)
		if name.Refusal != naming.Allowed {
			fmt.Printf("%s: %v\n", requested, name.Refusal)
			continue
		}
		fmt.Printf("%s: file %s, device %q\n", requested, name.File, name.MAC)
	}
	// Output:
	// \tftpboot\gold.cfg: file gold.cm, device ""
	// gold.cm@0a0102030405: file gold.cm, device "0a:01:02:03:04:05"
	// ../passwd: name contains ".."
}
