package secret

import "strings"

// Hide returns an error that reads text, with every secret in it replaced by ****, and wraps err.
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
