// Package postgres is the PostgreSQL driver of package sqldb.
package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"dcs/render/attr/sqldb"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// Driver takes DSNs of the forms postgres://user:password@host:port/database?parameters
// and host=… port=… user=… password=… dbname=…; what they leave away comes from the
// environment, as with all of PostgreSQL's clients.
func Driver() sqldb.Driver {
	return sqldb.Driver{Name: "postgres", Open: open, Listen: listen, Columns: columns}
}

func parse(dsn string) (*pgx.ConnConfig, error) {
	cfg, err := pgx.ParseConfig(dsn)
	if err != nil {
		// Its reason may quote the DSN.
		return nil, errors.New("it is neither postgres://user:password@host:port/database nor of the form host=… user=… dbname=…")
	}
	if _, set := cfg.RuntimeParams["application_name"]; !set {
		cfg.RuntimeParams["application_name"] = "dcs"
	}
	return cfg, nil
}

func open(dsn string) (*sql.DB, []string, error) {
	cfg, err := parse(dsn)
	if err != nil {
		return nil, nil, err
	}
	return stdlib.OpenDB(*cfg), []string{cfg.Password}, nil
}

func columns(ctx context.Context, conn *sql.Conn, query string) (names []string, err error) {
	err = conn.Raw(func(c any) error {
		pg, ok := c.(*stdlib.Conn)
		if !ok {
			return fmt.Errorf("a connection of type %T", c)
		}
		d, err := pg.Conn().Prepare(ctx, "", query)
		if err != nil {
			return err
		}
		for _, f := range d.Fields {
			names = append(names, f.Name)
		}
		return nil
	})
	return names, err
}

type listener struct{ conn *pgx.Conn }

func listen(ctx context.Context, dsn, channel string) (sqldb.Listener, error) {
	cfg, err := parse(dsn)
	if err != nil {
		return nil, err
	}
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return nil, err
	}
	// LISTEN takes an identifier, which no parameter can stand for.
	if _, err := conn.Exec(ctx, "LISTEN "+pgx.Identifier{channel}.Sanitize()); err != nil {
		listener{conn}.Close()
		return nil, err
	}
	return listener{conn}, nil
}

func (l listener) Wait(ctx context.Context) (string, error) {
	n, err := l.conn.WaitForNotification(ctx)
	if err != nil {
		return "", err
	}
	return n.Payload, nil
}

func (l listener) Ping(ctx context.Context) error { return l.conn.Ping(ctx) }

// Close says goodbye if that goes without waiting.
func (l listener) Close() {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = l.conn.Close(ctx)
}
