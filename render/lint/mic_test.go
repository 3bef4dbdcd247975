package lint_test

import (
	"encoding/hex"

	"dcs/render/lint"
	"dcs/render/mic"
)

// signed returns the octets of a file with the given TLVs, signed with a secret.
func signed(body, secret string) string {
	b, _ := hex.DecodeString(body)
	out, err := mic.Sign(b, mic.NewSecret([]byte(secret)))
	if err != nil {
		panic(err)
	}
	return "0x" + hex.EncodeToString(out)
}

const digest = `00000000000000000000000000000000 `

var micCases = []ruleCase{
	{rule: "mic-missing", bad: `0x030101 ff`, good: signed("030101", "")},
	{rule: "mic-missing", bad: `0x030101 0610` + digest + `0710` + digest + `120101 ff`, good: sound},
	{rule: "mic-missing", bad: `0x030101 0710` + digest + `0610` + digest + `ff`, good: sound},
	{rule: "mic-missing", bad: `0x030101 0610` + digest + `0610` + digest + `0710` + digest + `ff`, good: sound},
	{rule: "mic-invalid", bad: `0x030101 0610` + digest + `0710` + digest + `ff`, good: signed("030101", "")},
	{
		rule: "mic-invalid", bad: signed("030101", "old"), good: signed("030101", "b"),
		options: lint.Options{Secrets: []*mic.Secret{mic.NewSecret([]byte("a")), mic.NewSecret([]byte("b"))}},
	},
	{rule: "end-missing", bad: `0x030101`, good: `0x030101 ff000000`},
	{rule: "end-missing", bad: `0x030101 ff 0001`, good: sound},
}
