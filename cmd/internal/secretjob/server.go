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

// signingServer is the running server, behind its admin address.
type signingServer struct {
	*adminclient.Client
	where string
}

// callTime is how long a server may take to read its keyring.
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

// takesChanges returns an error if the server would refuse to be told of new secrets, which is to be known before any CMTS has them.
func (s *signingServer) takesChanges(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	var who admin.Identity
	var refused *adminclient.Error
	err := s.Get(ctx, admin.WhoAmI, &who)
	switch {
	case errors.As(err, &refused) && refused.Status == http.StatusNotFound: // an older server, which takes changes from whom it answers
		return nil
	case err != nil:
		return err
	case !who.Changes:
		return admin.ErrNoChanges
	}
	return nil
}

// nobody is no server.
type nobody struct{}

func (nobody) Reload(context.Context) (uint64, error) { return 0, rotate.ErrNoServer }

func (j *Job) server() (rotate.Server, error) {
	if j.NoServer || len(j.cfg.Admin) == 0 {
		return nobody{}, nil
	}
	address := remote.Reachable(j.cfg.Admin)
	c, err := remote.DialAdmin(&j.cfg, address)
	if err != nil {
		return nil, err
	}
	return &signingServer{c, address}, nil
}

// askServer tells which server there is to switch. The error says that there may be one that cannot be told.
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
			return "", fmt.Errorf("the server at %s: %w", s.where, err)
		}
		return fmt.Sprintf("%s, serves generation %d of its keyring", s.where, state.Generation), nil
	case !errors.Is(err, rotate.ErrNoServer):
		return "", fmt.Errorf("the server at %s: %w", s.where, err)
	}
	for _, at := range j.cfg.Listen {
		// As the server does, which may listen on an address that no interface has.
		ask := func() (net.PacketConn, error) {
			return (&net.ListenConfig{Control: listen.Freebind}).ListenPacket(ctx, "udp", at.String())
		}
		c, err := ask()
		for try := 1; errors.Is(err, syscall.EADDRINUSE) && try < portTries; try++ {
			time.Sleep(portWait)
			c, err = ask()
		}
		if errors.Is(err, syscall.EADDRINUSE) {
			return "", fmt.Errorf("somebody serves %v, and nobody answers at the admin address %s: a server that cannot be told would go on signing with old secrets; say --no-server if it is none of ours", at, s.where)
		}
		if err == nil {
			c.Close()
		}
	}
	return "none runs at " + s.where + ": the keyring is changed for the next start", nil
}

const (
	portTries = 30
	portWait  = 100 * time.Millisecond // a check has a port for less
)
