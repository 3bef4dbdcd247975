// Package mysql is the MariaDB and MySQL driver of package sqldb.
package mysql

import (
	"database/sql"
	"errors"
	"time"

	"dcs/render/attr/sqldb"

	"github.com/go-sql-driver/mysql"
)

// Driver takes DSNs of the form user:password@tcp(host:port)/database?parameters.
func Driver() sqldb.Driver { return sqldb.Driver{Name: "mysql", Open: open} }

func open(dsn string) (*sql.DB, []string, error) {
	cfg, err := mysql.ParseDSN(dsn)
	if err != nil {
		// Its reason may quote the DSN.
		return nil, nil, errors.New("it is not of the form user:password@tcp(host:port)/database")
	}
	cfg.ParseTime = true
	if cfg.Loc == time.UTC && cfg.Params["time_zone"] == "" {
		if cfg.Params == nil {
			cfg.Params = make(map[string]string)
		}
		cfg.Params["time_zone"] = "'+00:00'" // or TIMESTAMPs would be the server's local time, called UTC
	}
	cfg.Logger = quiet{}
	c, err := mysql.NewConnector(cfg)
	if err != nil {
		return nil, nil, err
	}
	return sql.OpenDB(c), []string{cfg.Passwd}, nil
}

// quiet keeps the driver from writing to stderr what its errors say anyway.
type quiet struct{}

func (quiet) Print(...any) {}
