package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// errDone is why a query's context ends that nothing is wrong with.
var errDone = errors.New("done")

// timeout lets an error say that it was ctx that ended the call.
func timeout(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil && cause != errDone && err != nil && !errors.Is(err, cause) {
		return fmt.Errorf("%w (%w)", cause, err)
	}
	return err
}

// rows runs a query and calls each for every row, in the memory of one row. It gives up
// when ctx ends or the database stays silent for longer than Timeout.
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
	// Cancelled first: Close reads all rows that are left on a connection that goes on.
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

// forget closes connections that are idle: after an error they may be as dead as the one
// that has failed.
func (s *source) dropIdle(db *sql.DB) {
	db.SetMaxIdleConns(-1)
	db.SetMaxIdleConns(s.cfg.Connections)
}

// watch cancels a query during which progress has stood still for Timeout. It is odd while
// a row is in the caller's hands, who may take longer.
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
				cancel(fmt.Errorf("the database has said nothing for %v: %w", s.cfg.Timeout, context.DeadlineExceeded))
				return
			}
			last = now
		}
	}()
	return func() { close(quit) }
}
