package ldapdir_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"dcs/render/attr"
	"dcs/render/attr/ldapdir"
	"dcs/render/attr/servers"
	"dcs/render/attr/store"
)

// guarded deletes most entries of a directory, which the next full load finds.
func guarded(t *testing.T, s *servers.Server) {
	const fleet = 200
	base := "ou=guarded," + servers.Suffix
	dn := func(i int) string { return fmt.Sprintf("dn: macAddress=00:00:5e:00:53:%02x,%s\n", i, base) }
	var add, lost strings.Builder
	fmt.Fprintf(&add, "dn: %s\nobjectClass: organizationalUnit\nou: guarded\n\n", base)
	for i := range fleet {
		fmt.Fprintf(&add, "%sobjectClass: dcsDevice\nmacAddress: 00:00:5e:00:53:%02x\ndcsProfile: gold\ndcsDown: %d\n\n", dn(i), i, 1000+i)
		if i >= fleet/10 {
			fmt.Fprintf(&lost, "%schangetype: delete\n\n", dn(i))
		}
	}
	s.Run(t, add.String())
	cfg := config(t, s)
	cfg.Base, cfg.Poll, cfg.Reload = base, 50*time.Millisecond, 500*time.Millisecond
	cfg.Attributes = map[string]string{"dcsProfile": "profile", "dcsDown": "down"}
	src, err := ldapdir.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	store, err := store.Open(store.Config{Dir: t.TempDir(), Sources: []attr.Source{src}, Now: time.Now, RetryMin: 10 * time.Millisecond, Publish: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	device := func(i int) string {
		v := store.View()
		r, ok := v.Lookup(mac(byte(i)), nil)
		if !ok {
			return "none"
		}
		return strings.Join(r, " ")
	}
	served := func() (n int) {
		for i := range fleet {
			if device(i) == fmt.Sprintf("%d gold", 1000+i) {
				n++
			}
		}
		return n
	}
	await := func(what string, ok func() bool) {
		t.Helper()
		for limit := time.Now().Add(30 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
			if time.Now().After(limit) {
				t.Fatalf("never: %s", what)
			}
		}
	}
	await("the fleet is served", func() bool { return served() == fleet })
	s.Run(t, lost.String())
	await("held back", func() bool { return store.State()[0].HeldBack != nil })
	if err := store.State()[0].HeldBack; !errors.Is(err, attr.ErrHeldBack) {
		t.Error(err)
	}
	s.Run(t, dn(7)+"changetype: modify\nreplace: dcsProfile\ndcsProfile: walled\n")
	await("a change that loses nothing", func() bool { return device(7) == "1007 walled" })
	if n := served(); n < fleet*4/5-1 {
		t.Errorf("%d devices are served as before: %v", n, store.State()[0].HeldBack)
	}
	if err := store.Reload("", true); err != nil {
		t.Fatal(err)
	}
	await("accepted", func() bool {
		return device(100) == "none" && served() == fleet/10-1 && store.State()[0].HeldBack == nil
	})
}
