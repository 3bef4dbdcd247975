package ldapdir

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-ldap/ldap/v3"
)

func (s *source) wanted() []string {
	return append([]string{s.cfg.MACAttr, s.cfg.IPAttr, timestamp}, s.attrs...)
}

// search calls each for every entry. It holds at most one page in memory.
func (s *source) search(ctx context.Context, filter string, each func(*ldap.Entry) error) error {
	c, err := s.connect(ctx)
	if err != nil {
		return err
	}
	defer c.close()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(ctx, func() { c.wire.Close() })()
	silence := time.AfterFunc(s.cfg.Timeout, func() {
		cancel(fmt.Errorf("no response for %v: %w", s.cfg.Timeout, context.DeadlineExceeded))
	})
	defer silence.Stop()
	paging := ldap.NewControlPaging(uint32(s.cfg.PageSize))
	for {
		r := c.SearchAsync(ctx, ldap.NewSearchRequest(s.cfg.Base, s.scope, ldap.NeverDerefAliases, 0, 0, false, filter, s.wanted(), []ldap.Control{paging}), 64)
		for r.Next() {
			e := r.Entry()
			if e == nil {
				continue // a referral
			}
			silence.Stop()
			if err := each(e); err != nil {
				return err
			}
			silence.Reset(s.cfg.Timeout)
		}
		if err := r.Err(); err != nil {
			return s.wrap(ctx, "search", err)
		}
		// The library reports no error if the connection fails during a search.
		if err := c.ended(ctx); err != nil {
			return s.wrap(ctx, "search", err)
		}
		next, _ := ldap.FindControl(r.Controls(), ldap.ControlTypePaging).(*ldap.ControlPaging)
		if next == nil && len(paging.Cookie) > 0 {
			return s.wrap(ctx, "search", errors.New("response without the control for paged results"))
		}
		if next == nil || len(next.Cookie) == 0 {
			return nil
		}
		paging.SetCookie(next.Cookie)
	}
}

// one returns the first match of a filter, and the number of matches, at most two.
func (s *source) one(ctx context.Context, c *conn, filter string) (first *ldap.Entry, n int, err error) {
	r := c.SearchAsync(ctx, ldap.NewSearchRequest(s.cfg.Base, s.scope, ldap.NeverDerefAliases, 2, 0, false, filter, s.wanted(), nil), 2)
	for r.Next() {
		if e := r.Entry(); e != nil {
			if n++; n == 1 {
				first = e
			}
		}
	}
	err = r.Err()
	if n > 0 && ldap.IsErrorWithCode(err, ldap.LDAPResultSizeLimitExceeded) {
		return first, 2, nil
	}
	if err == nil && n == 0 {
		err = c.ended(ctx)
	}
	return first, n, err
}
