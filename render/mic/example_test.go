package mic_test

import (
	"fmt"
	"log"

	"dcs/render/mic"
)

func ExampleSign() {
	secret := mic.NewSecret([]byte("DOCSIS"))
	body := []byte{3, 1, 1, 18, 1, 5} // NetworkAccess 1; MaxCPE 5;
	file, err := mic.Sign(body, secret)
	if err != nil {
		log.Fatal(err)
	}
	report, err := mic.Verify(file, secret)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(file), "octets, CM MIC", report.CM.Verdict, "CMTS MIC", report.CMTS.Verdict)

	report, _ = mic.Verify(file, mic.NewSecret([]byte("another")))
	fmt.Println("with another secret: CM MIC", report.CM.Verdict, "CMTS MIC", report.CMTS.Verdict)
	// Output:
	// 44 octets, CM MIC valid CMTS MIC valid
	// with another secret: CM MIC valid CMTS MIC INVALID
}
