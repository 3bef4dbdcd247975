package tlv_test

import (
	"encoding/hex"
	"log"
	"os"

	"dcs/render/ber/mib"
	"dcs/render/tlv"
)

// The TLVs of a boot file without end and MICs, printed in the template language.
func ExampleDecode() {
	file, err := hex.DecodeString("030101" + "180d" + "01020001" + "060107" + "0804004c4b40")
	if err != nil {
		log.Fatal(err)
	}
	tree, err := tlv.Decode(file)
	if err != nil {
		log.Fatal(err)
	}
	if err := tree.Print(os.Stdout, mib.Default(), false); err != nil {
		log.Fatal(err)
	}
	// Output:
	// Main {
	//     NetworkAccess 1;
	//     UsServiceFlow {
	//         UsServiceFlowRef 1;
	//         QosParamSetType 7;
	//         MaxRateSustained 5000000;
	//     }
	//     /* differs: offset 18: no end marker (255); the compiler adds it */
	//     /* differs: offset 18: CmMic is missing; the compiler adds it */
	//     /* differs: offset 18: CmtsMic is missing; the compiler adds it */
	// }
}
