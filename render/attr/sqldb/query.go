package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// errDone is the cause of contexts of queries that were read to the end.
var errDone = errors.New("done")

// timeout adds the cause of ctx to an error, if ctx has ended.
func timeout(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil && cause != errDone && err != nil && !errors.Is(err, cause) {
		return fmt.Errorf("%w (%w)", cause, err)
	}
	return err
}

// rows runs a query and calls each for every row. It holds one row in memory, and gives up when ctx ends or the database is
// silent for longer than Timeout.
func (s *source) rows(ctx context.Context, query string, args []any, each func(*row) error) (err error) {
	db, err := s.pool()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	var progress atomic.Uint64
	watch := s.watch(cancel, &progress)
	defer watch()
	defer cancel(errDone)
	defer func() { err = timeout(ctx, err) }()

	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		s.dropIdle(db)
		return err
	}
	// Cancel first: Close would read the rest of the result.
	defer func() { cancel(errDone); rows.Close() }()
	cols, err := rows.Columns()
	if err != nil {
		return err
	}
	types, err := rows.ColumnTypes()
	if err != nil {
		return err
	}
	m, err := s.columns(cols)
	if err != nil {
		return err
	}
	r := newRow(m, types)
	for rows.Next() {
		progress.Add(1)
		if err := rows.Scan(r.into...); err != nil {
			return err
		}
		if err := each(r); err != nil {
			return err
		}
		progress.Add(1)
	}
	if err := rows.Err(); err != nil {
		s.dropIdle(db)
		return err
	}
	return nil
}

// dropIdle closes idle connections: after an error they may be as unusable as the one that failed.
func (s *source) dropIdle(db *sql.DB) {
	db.SetMaxIdleConns(-1)
	db.SetMaxIdleConns(s.cfg.Connections)
}

// watch cancels a query that makes no progress for Timeout. progress is odd while the caller handles a row, which may take
// longer.
func (s *source) watch(cancel context.CancelCauseFunc, progress *atomic.Uint64) (stop func()) {
	quit := make(chan struct{})
	go func() {
		tick := time.NewTicker(s.cfg.Timeout)
		defer tick.Stop()
		for last := progress.Load(); ; {
			select {
			case <-quit:
				return
			case <-tick.C:
			}
			now := progress.Load()
			if now == last && now%2 == 0 {
				cancel(fmt.Errorf("no response for %v: %w", s.cfg.Timeout, context.DeadlineExceeded))
				return
			}
			last = now
		}
	}()
	return func() { close(quit) }
}
