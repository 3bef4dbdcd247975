package sqldb_test

import (
	"testing"
	"time"

	"dcs/render/attr/sqldb"
)

// whole tests the comparison of the whole query with its last result, used if nothing else reports changes.
func whole(t *testing.T, k *kit) {
	k.exec(t, "CREATE TABLE unmarked (mac VARCHAR(20), a VARCHAR(20));\nINSERT INTO unmarked VALUES ('00:00:5e:00:53:01', 'x'), ('00:00:5e:00:53:02', 'y');")
	src, names := open(t, k, sqldb.Config{Query: "SELECT mac, a FROM unmarked", Poll: 20 * time.Millisecond})
	load(t, src, names)
	f := follow(t, src, names)
	reloads := func() int {
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.whole
	}
	// The same rows in another order are no change.
	k.exec(t, "DELETE FROM unmarked WHERE a = 'x';\nINSERT INTO unmarked VALUES ('00:00:5e:00:53:01', 'x');")
	load(t, src, names)
	f.mu.Lock()
	f.whole = 0 // a poll between the two statements has seen a change
	f.mu.Unlock()
	time.Sleep(200 * time.Millisecond) // ten polls, none of which may request a load
	if n := reloads(); n > 1 {         // one may have been in progress
		t.Errorf("%d reloads of a table that is as it was", n)
	}
	for _, change := range []string{
		"UPDATE unmarked SET a = 'z' WHERE a = 'x';",
		"UPDATE unmarked SET a = NULL WHERE a = 'z';",
		"UPDATE unmarked SET mac = '00:00:5e:00:53:03' WHERE a = 'y';",
		"INSERT INTO unmarked VALUES ('00:00:5e:00:53:04', NULL);",
		"DELETE FROM unmarked;",
	} {
		f.mu.Lock()
		f.whole = 0
		f.mu.Unlock()
		k.exec(t, change)
		for limit := time.Now().Add(patience); reloads() == 0; time.Sleep(5 * time.Millisecond) {
			select {
			case err := <-f.done:
				t.Fatalf("%s: Follow has ended: %v", change, err)
			default:
			}
			if time.Now().After(limit) {
				t.Fatalf("%s: not loaded anew", change)
			}
		}
		load(t, src, names)
	}
}

func TestSeen(t *testing.T) {
	const hour = time.Hour
	for _, tc := range []struct {
		cfg  sqldb.Config
		want string
	}{
		{sqldb.Config{}, "changes in the database are seen only at a start, at SIGHUP and by dcs devices reload; set changed_query, or poll to have the whole query compared"},
		{sqldb.Config{Reload: hour}, "changes in the database are seen only every 1h0m0s, by reading the whole query; set changed_query to see them within a second"},
		{sqldb.Config{Reload: hour, Poll: time.Minute}, "changes in the database are seen only every 1m0s, by reading the whole query; set changed_query to see them within a second"},
		{sqldb.Config{Poll: time.Minute}, "changes in the database are seen only every 1m0s, by reading the whole query; set changed_query to see them within a second"},
		{sqldb.Config{ChangedQuery: "x"}, ""},
		{sqldb.Config{Channel: "x"}, ""},
	} {
		if got := tc.cfg.ChangeDelay(); got != tc.want {
			t.Errorf("%+v: %q, want %q", tc.cfg, got, tc.want)
		}
	}
}
