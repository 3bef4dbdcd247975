package tftp_test

import (
	"fmt"

	"dcs/fastpath/tftp"
)

// A server parses a request, and accepts its options by an OACK.
func ExampleParseRequest() {
	packet := []byte("\x00\x01gold.bin\x00octet\x00blksize\x001428\x00tsize\x000\x00")
	var r tftp.Request
	if err := tftp.ParseRequest(packet, &r); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s, blocks of %d octets\n", r.Name, r.Blksize)

	accepted := r.Options
	accepted.Tsize = 371 // of the file
	fmt.Printf("%q\n", tftp.AppendOACK(nil, &accepted))
	// Output:
	// gold.bin, blocks of 1428 octets
	// "\x00\x06blksize\x001428\x00tsize\x00371\x00"
}

// A client reads blocks and acknowledges them.
func ExampleParseDATA() {
	block, body, err := tftp.ParseDATA([]byte("\x00\x03\x00\x01\x03\x01\x01"))
	fmt.Println(block, body, err)
	fmt.Printf("%q\n", tftp.AppendACK(nil, block))
	// Output:
	// 1 [3 1 1] <nil>
	// "\x00\x04\x00\x01"
}
