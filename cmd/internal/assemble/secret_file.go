package assemble

import (
	"bytes"

	"dcs/render/secret"
)

// ReadSecret reads a secret from a file, without a line end at the end. The warning, if any, is for the operator.
func ReadSecret(name string) (key []byte, warning string, err error) {
	key, err = secret.Read(name, secret.MaxSize)
	if err != nil {
		return nil, "", err
	}
	if cut, ok := bytes.CutSuffix(key, []byte("\n")); ok {
		key = bytes.TrimSuffix(cut, []byte("\r"))
	}
	if len(key) == 0 {
		warning = name + ": the secret is empty"
	}
	return key, warning, nil
}
