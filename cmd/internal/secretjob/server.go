package secretjob

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"syscall"
	"time"

	"dcs/cmd/internal/admin"
	adminclient "dcs/cmd/internal/admin/client"
	"dcs/cmd/internal/adminapi"
	"dcs/cmd/internal/listen"
	"dcs/cmd/internal/remote"
	"dcs/cmd/internal/rotate"
)

// signingServer is the running server at its admin address.
type signingServer struct {
	*adminclient.Client
	where string
}

// callTime limits the wait for an answer of the server, which may have to read its keyring first.
const callTime = 20 * time.Second

func (s *signingServer) Reload(ctx context.Context) (uint64, error) {
	state, err := s.call(ctx, http.MethodPost, adminapi.SecretsReloadPath)
	return state.Generation, err
}

func (s *signingServer) call(ctx context.Context, method, path string) (adminapi.SecretsState, error) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	var state adminapi.SecretsState
	err := s.Call(ctx, method, path, nil, &state)
	if errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, fs.ErrNotExist) {
		return state, fmt.Errorf("%w at %s", rotate.ErrNoServer, s.where)
	}
	return state, err
}

// takesChanges returns an error if the server would refuse to reload its secrets. That must be known before a CMTS is changed.
func (s *signingServer) takesChanges(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	var who admin.Identity
	var refused *adminclient.Error
	err := s.Get(ctx, admin.WhoAmI, &who)
	switch {
	case errors.As(err, &refused) && refused.Status == http.StatusNotFound: // an older server, which accepts changes from every client that it answers
		return nil
	case err != nil:
		return err
	case !who.Changes:
		return admin.ErrNoChanges
	}
	return nil
}

// noServer stands for a server that is not running.
type noServer struct{}

func (noServer) Reload(context.Context) (uint64, error) { return 0, rotate.ErrNoServer }

func (j *Job) server() (rotate.Server, error) {
	if j.NoServer || len(j.cfg.Admin) == 0 {
		return noServer{}, nil
	}
	address := remote.Reachable(j.cfg.Admin)
	c, err := remote.DialAdmin(&j.cfg, address)
	if err != nil {
		return nil, err
	}
	return &signingServer{c, address}, nil
}

// askServer describes the server that a rotation would switch. It fails if one may be running that cannot be notified.
func (j *Job) askServer(ctx context.Context) (string, error) {
	if j.NoServer {
		return "not notified; restart it before the old secrets are removed", nil
	}
	s, ok := j.saga.Server.(*signingServer)
	if !ok {
		return "", errors.New("no admin address is configured, so a running server cannot be notified; set admin, or use --no-server if none runs")
	}
	state, err := s.call(ctx, http.MethodGet, adminapi.SecretsPath)
	switch {
	case err == nil && state.Single:
		return "", fmt.Errorf("the server at %s has no keyring: it signs with secret_file or the empty secret; set the key secrets of its configuration and restart it before a rotation", s.where)
	case err == nil:
		if err := s.takesChanges(ctx); err != nil {
			return "", fmt.Errorf("server at %s: %w", s.where, err)
		}
		return fmt.Sprintf("%s, serves generation %d of its keyring", s.where, state.Generation), nil
	case !errors.Is(err, rotate.ErrNoServer):
		return "", fmt.Errorf("server at %s: %w", s.where, err)
	}
	for _, at := range j.cfg.Listen {
		// With the server's options: it may listen on an address that no interface has.
		ask := func() (net.PacketConn, error) {
			return (&net.ListenConfig{Control: listen.Freebind}).ListenPacket(ctx, "udp", at.String())
		}
		c, err := ask()
		for try := 1; errors.Is(err, syscall.EADDRINUSE) && try < portTries; try++ {
			time.Sleep(portWait)
			c, err = ask()
		}
		if errors.Is(err, syscall.EADDRINUSE) {
			return "", fmt.Errorf("%v is in use, but no server answers at the admin address %s: it would keep signing with the old secrets; use --no-server if it is not a dcs", at, s.where)
		}
		if err == nil {
			c.Close()
		}
	}
	return "none runs at " + s.where + ": the keyring is changed for the next start", nil
}

const (
	portTries = 30
	portWait  = 100 * time.Millisecond // dcs check has a port for less
)
