// Package sqlite is the SQLite driver of package sqldb, in Go alone.
package sqlite

import (
	"database/sql"
	"errors"
	"net/url"
	"strings"

	"dcs/render/attr/sqldb"
	"dcs/render/secret"

	_ "modernc.org/sqlite" // registers itself as sqlite
)

// Driver returns the driver. Its DSNs are the path of a database, which is opened read-only, or a file: URI with the
// parameters of modernc.org/sqlite.
func Driver() sqldb.Driver { return sqldb.Driver{Name: "sqlite", Open: open, TextTimes: true} }

func open(text secret.Text) (*sql.DB, []secret.Text, error) {
	dsn := text.Reveal()
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
