package sqldb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
)

// describe connects, and returns the attributes of Query and the parameters of AskQuery.
func (s *source) describe(ctx context.Context, db *sql.DB) (names, params []string, err error) {
	if err := db.PingContext(ctx); err != nil {
		return nil, nil, s.wrap("connect", timeout(ctx, err))
	}
	cols, err := s.queryColumns(ctx, db)
	if err != nil {
		return nil, nil, s.wrap("query", timeout(ctx, err))
	}
	m, err := s.columns(cols)
	if err != nil {
		return nil, nil, s.wrap("query", err)
	}
	if s.cfg.ChangedQuery != "" && m.mark < 0 {
		return nil, nil, s.wrap("query", fmt.Errorf("no column %s, the watermark of changed_query", s.cfg.Watermark))
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, nil, s.wrap("connect", timeout(ctx, err))
	}
	defer conn.Close()
	names = make([]string, 0, len(cols))
	for i, c := range cols {
		if m.attr[i] >= 0 {
			names = append(names, c)
		}
	}
	if q := s.cfg.ChangedQuery; q != "" {
		n, err := inputs(ctx, conn, q)
		if err != nil {
			return nil, nil, s.wrap("changed_query", timeout(ctx, err))
		}
		if n >= 0 && n != 1 {
			return nil, nil, s.wrap("changed_query", fmt.Errorf("%d parameters; one is required, the watermark", n))
		}
	}
	params = s.cfg.AskParams
	if q := s.cfg.AskQuery; q != "" {
		n, err := inputs(ctx, conn, q)
		switch {
		case err != nil:
			return nil, nil, s.wrap("ask_query", timeout(ctx, err))
		case len(params) > 0 && n >= 0 && n != len(params):
			return nil, nil, s.wrap("ask_query", fmt.Errorf("%d parameters, but ask_params names %d", n, len(params)))
		case len(params) > 0:
		case n == 1:
			params = []string{"mac"}
		case n == 2 || n < 0:
			params = []string{"mac", "ip"}
		default:
			return nil, nil, s.wrap("ask_query", fmt.Errorf("%d parameters; ask_params must name each", n))
		}
	}
	return names, params, nil
}

func (s *source) queryColumns(ctx context.Context, db *sql.DB) ([]string, error) {
	if s.drv.Columns != nil {
		conn, err := db.Conn(ctx)
		if err != nil {
			return nil, err
		}
		defer conn.Close()
		return s.drv.Columns(ctx, conn, s.cfg.Query)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	rows, err := db.QueryContext(ctx, s.cfg.Query)
	if err != nil {
		return nil, err
	}
	cols, err := rows.Columns()
	// Cancel first: Close would read the whole result.
	cancel()
	rows.Close()
	return cols, err
}

// inputs returns the number of a query's parameters, -1 if the driver does not know.
func inputs(ctx context.Context, conn *sql.Conn, query string) (n int, err error) {
	err = conn.Raw(func(c any) error {
		p, ok := c.(driver.ConnPrepareContext)
		if !ok {
			n = -1
			return nil
		}
		st, err := p.PrepareContext(ctx, query)
		if err != nil {
			return err
		}
		n = st.NumInput()
		return st.Close()
	})
	return n, err
}
