package attr_test

import (
	"fmt"
	"log"

	"dcs/render/attr"
)

// A schema turns a template's names into indices once; records are then read by index. A later schema only adds names, so that
// indices remain valid.
func ExampleSchema() {
	s, err := attr.NewSchema("profile", "down")
	if err != nil {
		log.Fatal(err)
	}
	down, _ := s.Index("down")
	device := attr.Record{"gold", "1000"}
	fmt.Println(device.Get(down))

	later := s.Extend(false, "down", "up")
	fmt.Println(later.Names())
	up, _ := later.Index("up")
	fmt.Println(device.Get(up)) // a record may be shorter than its schema
	// Output:
	// 1000 true
	// [profile down up]
	//  false
}

// A source counts the rows that it leaves out, and refuses a load that left out too many.
func ExampleRejected_Check() {
	var r attr.Rejected
	r.Add("line 3: no address")
	fmt.Println(r.Check(100, 1))
	r.Add("line 4: no address")
	fmt.Println(r.Check(100, 1))
	// Output:
	// <nil>
	// too many rows are not devices: 2 of 100; first: line 3: no address
}
