package bpf

import (
	"testing"

	"dcs/bench/netlab"
)

// Tags stay on frames while the program is attached, and the device does as before when it is gone.
func TestLeavesTags(t *testing.T) {
	lab := netlab.ForTest(t, netlab.Config{})
	strips := func() (on bool) {
		t.Helper()
		err := lab.Server.Do(func() error {
			e, err := openEthtool()
			if err == nil {
				on = e.stripsTags(netlab.Device)
				e.close()
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return on
	}
	for _, before := range []bool{true, false} {
		err := lab.Server.Do(func() error {
			e, err := openEthtool()
			if err != nil {
				return err
			}
			defer e.close()
			return e.stripTags(netlab.Device, before)
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := strips(); got != before {
			t.Fatalf("set to %v, is %v", before, got)
		}
		s, c := attached(t, lab, labConfig(), Native)
		if strips() || c.HidesTags {
			t.Errorf("before %v: attached, and tags are taken off; %+v", before, c)
		}
		if err := s.programs[0].Detach(); err != nil {
			t.Error(err)
		}
		if got := strips(); got != before {
			t.Errorf("before %v, after it %v", before, got)
		}
	}
}
