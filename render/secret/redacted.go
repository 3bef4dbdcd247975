package secret

import (
	"fmt"
	"io"
	"log/slog"
)

const redacted = "[secret]"

// Redacted is embedded in values that must not be printed: they are formatted, logged and marshaled as [secret].
type Redacted struct{}

// String returns [secret].
func (Redacted) String() string { return redacted }

// GoString returns [secret].
func (Redacted) GoString() string { return redacted }

// Format prints [secret] for every verb.
func (Redacted) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue returns [secret].
func (Redacted) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns [secret]. It is used by encoding/json and others.
func (Redacted) MarshalText() ([]byte, error) { return []byte(redacted), nil }
