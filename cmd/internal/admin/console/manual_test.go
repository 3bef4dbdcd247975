package console

import (
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// The manual's pages are on the site, and lead to one another.
func TestManual(t *testing.T) {
	EOF_PLACEHOLDER
}
