package secret

import "strings"

// Hide returns an error that wraps err and has the message text, with every secret in it replaced by ****.
func Hide(text string, err error, secrets ...Text) error {
	for _, s := range secrets {
		if !s.IsZero() {
			text = strings.ReplaceAll(text, s.Reveal(), "****")
		}
	}
	return &hidden{text, err}
}

type hidden struct {
	text string
	err  error
}

func (h *hidden) Error() string { return h.text }
func (h *hidden) Unwrap() error { return h.err }
