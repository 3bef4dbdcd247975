// Package mysql is the MariaDB and MySQL driver of package sqldb.
package mysql

import (
	"database/sql"
	"errors"
	"time"

	"dcs/render/attr/sqldb"
	"dcs/render/secret"

	"github.com/go-sql-driver/mysql"
)

// Driver returns the driver. Its DSNs have the form user:password@tcp(host:port)/database?parameters.
func Driver() sqldb.Driver { return sqldb.Driver{Name: "mysql", Open: open} }

func open(dsn secret.Text) (*sql.DB, []secret.Text, error) {
	cfg, err := mysql.ParseDSN(dsn.Reveal())
	if err != nil {
		// err may quote the DSN.
		return nil, nil, errors.New("not of the form user:password@tcp(host:port)/database")
	}
	cfg.ParseTime = true
	if cfg.Loc == time.UTC && cfg.Params["time_zone"] == "" {
		if cfg.Params == nil {
			cfg.Params = make(map[string]string)
		}
		cfg.Params["time_zone"] = "'+00:00'" // or TIMESTAMPs would be local times of the server, taken for UTC
	}
	cfg.Logger = quiet{}
	c, err := mysql.NewConnector(cfg)
	if err != nil {
		return nil, nil, err
	}
	return sql.OpenDB(c), []secret.Text{secret.New(cfg.Passwd)}, nil
}

// quiet discards what the driver would write to stderr; its errors say the same.
type quiet struct{}

func (quiet) Print(...any) {}
