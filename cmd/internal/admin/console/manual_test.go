package console

import (
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// The manual's pages are on the site, under a title each, and lead to one another.
func TestManual(t *testing.T) {
	_, url := open(t, &fake{})
	get := func(path string) (int, string) {
		res, err := operator.Get(url + path)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, string(body)
	}
	seen := map[string]string{}
	hrefs := regexp.MustCompile(`href="(/manual/[^"#]*)(#[^"]*)?"`)
	for todo := []string{"/manual/"}; len(todo) > 0; todo = todo[1:] {
		path := todo[0]
		if seen[path] != "" {
			continue
		}
		status, body := get(path)
		if status != http.StatusOK || strings.Count(body, "<h1") != 1 || !strings.Contains(body, `aria-current="page"`) {
			t.Fatalf("%s: status %d\n%s", path, status, body)
		}
		seen[path] = body
		for _, m := range hrefs.FindAllStringSubmatch(body, -1) {
			todo = append(todo, m[1])
		}
	}
	for path, body := range seen {
		for _, m := range hrefs.FindAllStringSubmatch(body, -1) {
			if anchor := strings.TrimPrefix(m[2], "#"); anchor != "" && !strings.Contains(seen[m[1]], `id="`+anchor+`"`) {
				t.Errorf("%s: there is no %s", path, m[0])
			}
		}
	}
	if len(seen) < 15 {
		t.Errorf("%d pages", len(seen))
	}
	if status, body := get("/manual/nothing"); status != http.StatusNotFound || !strings.Contains(body, "no page nothing") {
		t.Errorf("a page that is not there: status %d", status)
	}
}
