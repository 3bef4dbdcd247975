package client_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"dcs/cmd/internal/admin/client"
	"dcs/render/secret"
)

// Neither a client nor what holds one prints the token.
func TestTokenIsNotPrinted(t *testing.T) {
	const token = "zqTOKEN-4471-marker"
	c := client.Dial("127.0.0.1:1", secret.New(token))
	for _, v := range []any{c, *c, struct{ Client *client.Client }{c}, []client.Client{*c}} {
		var out bytes.Buffer
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		slog.New(slog.NewTextHandler(&out, nil)).Info("x", "client", v)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "client", v)
		b, err := json.Marshal(v)
		if err != nil {
			t.Error(err)
		}
		out.Write(b)
		for _, shown := range []string{token, fmt.Sprintf("%x", token)} {
			if strings.Contains(out.String(), shown) {
				t.Errorf("%T: %q in %s", v, shown, out.String())
			}
		}
	}
}
