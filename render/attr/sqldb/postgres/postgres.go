// Package postgres is the PostgreSQL driver of package sqldb.
package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"dcs/render/attr/sqldb"
	"dcs/render/secret"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// Driver returns the driver. Its DSNs have the form postgres://user:password@host:port/database?parameters or host=… port=…
// user=… password=… dbname=…. What they omit is taken from the environment, as by all PostgreSQL clients.
func Driver() sqldb.Driver {
	return sqldb.Driver{Name: "postgres", Open: open, Listen: listen, Columns: columns}
}

func parse(dsn secret.Text) (*pgx.ConnConfig, error) {
	cfg, err := pgx.ParseConfig(dsn.Reveal())
	if err != nil {
		// err may quote the DSN.
		return nil, errors.New("neither postgres://user:password@host:port/database nor of the form host=… user=… dbname=…")
	}
	if _, set := cfg.RuntimeParams["application_name"]; !set {
		cfg.RuntimeParams["application_name"] = "dcs"
	}
	return cfg, nil
}

func open(dsn secret.Text) (*sql.DB, []secret.Text, error) {
	cfg, err := parse(dsn)
	if err != nil {
		return nil, nil, err
	}
	return stdlib.OpenDB(*cfg), []secret.Text{secret.New(cfg.Password)}, nil
}

func columns(ctx context.Context, conn *sql.Conn, query string) (names []string, err error) {
	err = conn.Raw(func(c any) error {
		pg, ok := c.(*stdlib.Conn)
		if !ok {
			return fmt.Errorf("unexpected connection of type %T", c)
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

func listen(ctx context.Context, dsn secret.Text, channel string) (sqldb.Listener, error) {
	cfg, err := parse(dsn)
	if err != nil {
		return nil, err
	}
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return nil, err
	}
	// LISTEN takes an identifier, which cannot be a parameter.
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

// Close closes the connection without waiting for the server.
func (l listener) Close() {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = l.conn.Close(ctx)
}
