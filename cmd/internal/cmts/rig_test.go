package cmts

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	sim "dcs/bench/cmts"
	"dcs/bench/require"
	"dcs/cmd/internal/dcstest"
	"dcs/render/secret"
)

// Secrets that nothing may print. They are unlike any word, so that none is found by accident.
const (
	oldSecret     = "zqOLD-7781-kwv"
	newSecret     = "zqNEW-9942-jxh"
	loginPassword = "zqLOGIN-3317"
	enablePass    = "zqENABLE-5526"
	community     = "zqCOMMUNITY-60"
	authPassword  = "zqAUTH-88231-pw"
	privPassword  = "zqPRIV-44120-pw"
)

// rig is a simulated CMTS with the configuration of its driver.
type rig struct {
	t    *testing.T
	sim  *sim.CMTS
	cfg  CMTS
	opt  Options
	log  *dcstest.Log // searched for secrets at the end
	dir  string
	host *sim.Server
}

func (r *rig) file(name, text string) string {
	r.t.Helper()
	file := filepath.Join(r.dir, name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
	return file
}

func newRig(t *testing.T, cfg sim.Config) *rig {
	t.Helper()
	if cfg.Name == "" {
		cfg.Name = "cmts-1"
	}
	cfg.User, cfg.Password = "dcs", loginPassword
	if cfg.Secret == "" {
		cfg.Secret = oldSecret
	}
	r := &rig{t: t, sim: sim.New(cfg), log: &dcstest.Log{}, dir: t.TempDir()}
	r.opt.loginQuiet = time.Millisecond // nothing follows the first prompt
	r.opt.Log = slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	r.cfg = CMTS{Name: cfg.Name, Driver: string(cfg.Make), Interfaces: cfg.Interfaces, Timeout: 20 * time.Second}
	t.Cleanup(func() { r.clean(r.log.String()) })
	if cfg.Make == sim.C3 {
		return r
	}
	server, err := r.sim.ServeSSH("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	r.host = server
	r.cfg.Address, r.cfg.User = server.Addr, "dcs"
	r.cfg.PasswordFile = r.file("password", loginPassword+"\n")
	r.cfg.EnablePasswordFile = r.file("enable", enablePass+"\n")
	r.opt.KnownHosts = r.file("known_hosts", server.KnownHosts()+"\n")
	return r
}

// snmp serves a C3 with the simulated agent.
func (r *rig) snmp() *rig {
	r.t.Helper()
	a, err := r.sim.ServeSNMP("127.0.0.1:0", community)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = a.Close() })
	r.cfg.Address = a.Addr
	r.cfg.SNMP.CommunityFile = r.file("community", community)
	return r
}

// clean fails if text contains a secret, or a large part of one.
func (r *rig) clean(text string) {
	r.t.Helper()
	for _, s := range []string{oldSecret, newSecret, loginPassword, enablePass, community, authPassword, privPassword} {
		for i := 0; i+6 <= len(s); i++ {
			if strings.Contains(text, s[i:i+6]) {
				r.t.Errorf("%q holds %q", text, s[i:i+6])
				break
			}
		}
	}
}

func (r *rig) open() Driver {
	r.t.Helper()
	d, err := Open(r.cfg, r.opt)
	if err != nil {
		r.t.Fatal(err)
	}
	return d
}

// fails fails unless err is an error that contains all of want, and no secret.
func (r *rig) fails(err error, want ...string) {
	r.t.Helper()
	if err == nil {
		r.t.Fatalf("no error, wanted one with %q", want)
	}
	r.clean(fmt.Sprintf("%v %+v %#v", err, err, err))
	if n := len(err.Error()); n > maxError+200 {
		r.t.Errorf("the error has %d octets", n)
	}
	for _, w := range want {
		if !strings.Contains(err.Error(), w) {
			r.t.Errorf("%q does not say %q", err, w)
		}
	}
}

func (r *rig) works(err error) {
	r.t.Helper()
	if err != nil {
		r.clean(err.Error())
		r.t.Fatal(err)
	}
}

func (r *rig) holds(iface string, want ...string) {
	r.t.Helper()
	if got := r.sim.Secrets(iface); strings.Join(got, " ") != strings.Join(want, " ") {
		r.t.Errorf("interface %q holds %q, want %q", iface, got, want)
	}
}

func (r *rig) state(d Driver, want State) {
	r.t.Helper()
	got, err := d.Verify(context.Background(), []secret.Text{secret.New(oldSecret), secret.New(newSecret)})
	r.works(err)
	if fmt.Sprint(got.Holds, got.Filled) != fmt.Sprint(want.Holds, want.Filled) {
		r.t.Errorf("verify: old, new: %v, %d filled; want %v, %d filled", got.Holds, got.Filled, want.Holds, want.Filled)
	}
	r.clean(got.Note)
}

// snmpd serves a C3 with net-snmp, for versions 2c and 3.
func (r *rig) snmpd() *rig {
	r.t.Helper()
	s, err := r.sim.StartSnmpd(sim.SnmpdConfig{
		Dir: r.t.TempDir(), Community: community, User: "dcs", AuthPassword: authPassword, PrivPassword: privPassword,
	})
	if errors.Is(err, sim.ErrNoSnmpd) {
		require.Missing(r.t, "SERVERS", "%v", err)
	}
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = s.Close() })
	r.cfg.Address = s.Addr
	return r
}

func (r *rig) v2c() *rig {
	r.cfg.SNMP = SNMP{CommunityFile: r.file("community", community)}
	return r
}

func (r *rig) v3() *rig {
	r.cfg.SNMP = SNMP{
		User: "dcs", Auth: "sha256", AuthPasswordFile: r.file("auth", authPassword), PrivPasswordFile: r.file("priv", privPassword),
	}
	return r
}
