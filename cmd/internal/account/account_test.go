package account

import (
	"strings"
	"testing"
)

func TestLookup(t *testing.T) {
	for _, tc := range []struct {
		s        string
		uid, gid uint32
		groups   bool
		err      string
	}{
		{s: "root", uid: 0, gid: 0, groups: true},
		{s: "0", uid: 0, gid: 0, groups: true},
		{s: "root:daemon", uid: 0, gid: 1},
		{s: "root:7", uid: 0, gid: 7},
		{s: "4242:4243", uid: 4242, gid: 4243},
		{s: "4242", err: "user 4242: no such entry; give a group too, as in 4242:4242"},
		{s: "no-such-user", err: "user no-such-user: no such entry"},
		{s: "no-such-user:1", err: "user no-such-user: no such entry"},
		{s: "root:no-such-group", err: "group no-such-group: no such entry"},
		{s: "", err: "is not a user"},
		{s: ":0", err: "is not a user"},
		{s: "root:", err: "is not a user"},
		{s: "4294967295:1", err: "is not a user or group ID"},
		{s: "1:4294967295", err: "is not a user or group ID"},
		{s: "99999999999:1", err: "is not a user or group ID"},
		{s: "-1:1", err: "user -1: no such entry"},
		{s: "1:1:1", err: "group 1:1: no such entry"},
	} {
		c, err := Lookup(tc.s)
		if tc.err != "" {
			if err == nil || !strings.Contains(err.Error(), tc.err) {
				t.Errorf("%q: %v, want %s", tc.s, err, tc.err)
			}
			continue
		}
		if err != nil || c.Uid != tc.uid || c.Gid != tc.gid || (len(c.Groups) > 0) != tc.groups {
			t.Errorf("%q: %+v, %v", tc.s, c, err)
		}
	}
}
