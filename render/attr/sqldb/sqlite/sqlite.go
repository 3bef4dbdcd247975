// Package sqlite is the SQLite driver of package sqldb, in Go alone.
package sqlite

import (
	"database/sql"
	"errors"
	"net/url"
	"strings"

	"dcs/render/attr/sqldb"

	_ "modernc.org/sqlite" // registers itself as sqlite
)

// Driver takes as DSN the path of a database, which is then opened for reading only, or a
// file: URI with the parameters of modernc.org/sqlite.
func Driver() sqldb.Driver { return sqldb.Driver{Name: "sqlite", Open: open, TextTimes: true} }

func open(dsn string) (*sql.DB, []string, error) {
	if dsn == "" {
		return nil, nil, errors.New("no path")
	}
	if !strings.HasPrefix(dsn, "file:") {
		u := url.URL{Scheme: "file", Opaque: (&url.URL{Path: dsn}).EscapedPath()}
		u.RawQuery = url.Values{"mode": {"ro"}, "_pragma": {"busy_timeout(5000)", "query_only(1)"}}.Encode()
		dsn = u.String()
	}
	db, err := sql.Open("sqlite", dsn)
	return db, nil, err
}
