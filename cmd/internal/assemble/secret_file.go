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
	if why := secret.Oddity(string(key)); why != "" {
		warning = odd(name, why)
	}
	return key, warning, nil
}

// odd is the warning about a secret that is signed with as it is.
func odd(name, why string) string {
	return name + ": the secret " + why + ", which is part of it; CMTSes have none unless it was entered there"
}
