package plugin_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"dcs/render/attr"
	"dcs/render/attr/plugin"
)

// A change reported before a list is reported again after it, since the list may be held back.
func TestChangesOutliveAList(t *testing.T) {
	t.Parallel()
	src := script(t, hello+`
while read -r l; do case $l in
*list*) echo '{"end":true}' ;;
*'"id":1,'*) echo '{"changed":[{"mac":"0a0000000001","attrs":{"a":"x"}}]}'; echo '{"id":1,"found":false}' ;;
esac; done`, func(c *plugin.Config) { c.Changes = true })
	names := open(t, src)
	if _, err := load(src, names); err != nil {
		t.Fatal(err)
	}
	if _, _, err := src.Ask(ctx, mac(1), netip.Addr{}); err != nil { // the change came before this answer
		t.Fatal(err)
	}
	if _, err := load(src, names); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	got := ""
	_ = src.(attr.Follower).Follow(ctx, func(cs []attr.Change) error {
		for _, c := range cs {
			got += text(names, &c.Device)
		}
		cancel()
		return nil
	})
	if got != "0a0000000001 a=x" {
		t.Errorf("told %q", got)
	}
}

func TestChanges(t *testing.T) {
	t.Parallel()
	src := script(t, hello+`
while read -r l; do case $l in
*list*) echo '{"changed":[{"mac":"0a0000000009"}]}'; echo '{"end":true}' ;;
*'"id":1,'*) echo '{"changed":[{"mac":"0a0000000001","attrs":{"a":"x"}},{"mac":"oops"},null,{"ip":"192.0.2.1","gone":true}]}'; echo '{"id":1,"found":false}' ;;
*'"id":2,'*) echo '{"reload":true}'; echo '{"id":2,"found":false}' ;;
*'"id":3,'*) yes '{"changed":[{"mac":"0a0000000001"},{"mac":"0a0000000002"}]}' | head -n 70000; echo '{"id":3,"found":false}' ;;
*'"id":4,'*) exit 7 ;;
esac; done`, func(c *plugin.Config) { c.Changes = true })
	names := open(t, src)
	f := src.(attr.Follower)
	if err := f.Follow(ctx, nil); err == nil {
		t.Error("followed before a list")
	}
	if _, err := load(src, names); err != nil {
		t.Fatal(err)
	}
	got := make(chan string, 100)
	done := make(chan error, 1)
	hold := make(chan struct{})
	go func() {
		done <- f.Follow(ctx, func(cs []attr.Change) error {
			<-hold
			s := fmt.Sprint(cs == nil)
			for _, c := range cs {
				s += fmt.Sprint(";", text(names, &c.Device), c.Gone)
			}
			got <- s
			return nil
		})
	}()
	ask := func() { _, _, _ = src.Ask(ctx, mac(1), netip.Addr{}) }
	hold <- struct{}{} // what was told during the list
	if s := <-got; s != "false;0a0000000009false" {
		t.Error(s)
	}
	ask()
	hold <- struct{}{}
	if s := <-got; s != "false;0a0000000001 a=xfalse; 192.0.2.1true" {
		t.Error(s)
	}
	ask()
	hold <- struct{}{}
	if s := <-got; s != "true" {
		t.Error(s)
	}
	if _, _, err := src.Ask(ctx, mac(1), netip.Addr{}); err != nil { // a flood, more than twice what is queued: one part may be taken before
		t.Fatal(err)
	}
	close(hold)
	for deadline := time.After(30 * time.Second); ; {
		select {
		case s := <-got:
			if s == "true" {
				deadline = nil
			}
			if deadline != nil {
				continue
			}
		case <-deadline:
			t.Error("after a flood all is to be loaded anew")
		}
		break
	}
	ask()
	select {
	case err := <-done:
		if err == nil || !strings.Contains(err.Error(), "exit status 7") {
			t.Errorf("%v", err)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("Follow did not end with the process")
	}
	if err := f.Follow(ctx, func([]attr.Change) error { return nil }); err == nil {
		t.Error("followed a process that gave no list")
	}
	if names := open(t, src); len(names) != 2 {
		t.Errorf("%q", names)
	}
	if _, err := load(src, names); err != nil {
		t.Error(err)
	}
}

// Changes that could not be applied are repeated by the next Follow, in order: the load between may be held back.
func TestChangesAreGivenBack(t *testing.T) {
	t.Parallel()
	src := script(t, hello+`
while read -r l; do case $l in
*list*) echo '{"end":true}'; i=0; while [ $i -lt 3000 ]; do i=$((i+1)); printf '{"changed":[{"mac":"0a000000%04x"}]}\n' $i; done; echo '{"reload":true}' ;;
esac; done`, func(c *plugin.Config) { c.Changes = true })
	names := open(t, src)
	if _, err := load(src, names); err != nil {
		t.Fatal(err)
	}
	refused := errors.New("refused")
	last, reload := 0, false
	short, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for refuse := true; last < 3000 || !reload; refuse = !refuse {
		err := src.(attr.Follower).Follow(short, func(cs []attr.Change) error {
			if cs == nil {
				reload = true
				return refused // as the Store does, which loads it then
			}
			if refuse {
				return refused
			}
			refuse = true
			for _, c := range cs {
				n := int(c.MAC[4])<<8 | int(c.MAC[5])
				if n != last+1 {
					t.Errorf("device %d after %d", n, last)
				}
				last = n
			}
			return nil
		})
		if !errors.Is(err, refused) {
			t.Fatalf("%v, after device %d", err, last)
		}
	}
}
