package localdb

import (
	"os"
	"testing"

	"dcs/render/attr"
)

// zeroed returns an open file of devices whose rows have become zero after before was called with it.
func zeroed(t *testing.T, before func(*DB)) *DB {
	t.Helper()
	db, _ := build(t, Options{}, []string{"a"}, dev(1, "10.0.0.1", "one"), dev(2, "", "two"))
	before(db)
	f, err := os.OpenFile(db.file.Name(), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(make([]byte, db.h.rows.len), int64(db.h.rows.off)); err != nil {
		t.Fatal(err)
	}
	return db
}

// A device whose row has become zero is not one that is not there, whatever was compared before, and whatever is under way.
func TestZeroed(t *testing.T) {
	for name, before := range map[string]func(*DB){
		"nothing compared": func(*DB) {},
		"a look-up compared it": func(db *DB) {
			if _, ok := db.Lookup(mac(1), nil); !ok {
				t.Error("no device")
			}
		},
		"all compared": func(db *DB) {
			if err := db.Verify(t.Context()); err != nil {
				t.Error(err)
			}
		},
		"taken for whole when damage was found": func(db *DB) {
			db.Spoil(os.ErrInvalid)
			db.whole.Store(true)
		},
		"distrusted": func(db *DB) {
			if err := db.Verify(t.Context()); err != nil {
				t.Error(err)
			}
			db.whole.Store(false) // as Distrust begins
		},
	} {
		t.Run(name, func(t *testing.T) {
			db := zeroed(t, before)
			queries := []attr.Query{{MAC: mac(1)}, {MAC: mac(2)}}
			db.LookupBatch(queries)
			for i := range queries {
				if q := &queries[i]; q.Found || !q.Damaged {
					t.Errorf("query %d: found %v, damaged %v", i, q.Found, q.Damaged)
				}
			}
		})
	}
}

// Values that were altered are not returned while Verify takes the file for whole and a look-up has found damage.
func TestAlteredMeanwhile(t *testing.T) {
	db, _ := build(t, Options{}, []string{"a"}, dev(1, "", "one"))
	f, err := os.OpenFile(db.file.Name(), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte("two"), int64(db.cols[0].values+2)); err != nil { // after the empty value and the length
		t.Fatal(err)
	}
	db.Spoil(os.ErrInvalid)
	db.whole.Store(true)
	queries := []attr.Query{{MAC: mac(1)}}
	if db.LookupBatch(queries); queries[0].Found || !queries[0].Damaged {
		t.Errorf("%+v", queries[0])
	}
}
