package cmts

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	sim "dcs/bench/cmts"
	"dcs/bench/require"
	"dcs/render/secret"
)

func cisco(t *testing.T) *rig {
	return newRig(t, sim.Config{Make: sim.Cisco, Enable: enablePass, Interfaces: []string{"Cable5/0/0"}})
}

func TestFaultsOverSSH(t *testing.T) {
	quick := func(r *rig) { r.cfg.Timeout = 250 * time.Millisecond }
	tests := []struct {
		name  string
		setup func(*rig)
		want  []string
		cause error
		set   bool // whether the CMTS holds the new secret in the end
	}{
		{"not running", func(r *rig) { _ = r.host.Close() }, []string{"unreachable", "refused"}, ErrUnreachable, false},
		{"wrong password", func(r *rig) { r.file("password", "zqWRONG") }, []string{`credentials of user "dcs" refused`}, ErrDenied, false},
		{"wrong enable password", func(r *rig) { r.file("enable", "zqWRONG") }, []string{"enable", "password refused", "Access denied"}, ErrDenied, false},
		{"no enable password", func(r *rig) { r.cfg.EnablePasswordFile = "" }, []string{"enable_password_file is not set"}, nil, false},
		{"unknown host key", func(r *rig) { r.file("known_hosts", "") }, []string{"is not in", "SHA256:", "ssh-keyscan"}, ErrDenied, false},
		{"host key changed", func(r *rig) {
			_, key, _ := ed25519.GenerateKey(rand.Reader)
			signer, _ := ssh.NewSignerFromKey(key)
			other := sim.Server{Addr: r.host.Addr, HostKey: signer.PublicKey()}
			r.file("known_hosts", other.KnownHosts())
		}, []string{"HAS CHANGED", "known_hosts:1", "SHA256:"}, ErrDenied, false},
		{
			"error half way", func(r *rig) { r.sim.SetFaults(sim.Faults{ErrorOn: "shared-secondary-secret"}) },
			[]string{"cable shared-secondary-secret index {{index}} 0 {{secret}}", "% Invalid input detected"},
			nil, false,
		},
		{
			"error while saving", func(r *rig) { r.sim.SetFaults(sim.Faults{ErrorOn: "write memory"}) },
			[]string{"secret set but not saved", "write memory"},
			nil, true,
		},
		{"no such interface", func(r *rig) { r.cfg.Interfaces = []string{"Cable9/9"} }, []string{"interface Cable9/9", "Invalid input"}, nil, false},
		{"too slow", func(r *rig) { quick(r); r.sim.SetFaults(sim.Faults{Slow: 5 * time.Second}) }, []string{"no prompt within 250ms"}, nil, false},
		{"silent", func(r *rig) { quick(r); r.sim.SetFaults(sim.Faults{Silent: true}) }, []string{"no prompt within 250ms"}, nil, false},
		{"garbage", func(r *rig) { quick(r); r.sim.SetFaults(sim.Faults{Garbage: true}) }, []string{"no prompt within 250ms"}, nil, false},
		{"dropped at once", func(r *rig) { r.sim.SetFaults(sim.Faults{DropAfter: 1}) }, []string{"session ended by the CMTS"}, nil, false},
		{"dropped half way", func(r *rig) { r.sim.SetFaults(sim.Faults{DropAfter: 6}) }, []string{"session ended by the CMTS", "shared-secondary-secret"}, nil, false},
		{"flood", func(r *rig) { r.cfg.Timeout = 5 * time.Minute; r.sim.SetFaults(sim.Faults{Flood: true}) }, []string{"more than 4 MB without a prompt"}, nil, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := cisco(t)
			tt.setup(r)
			err := r.open().Add(t.Context(), secret.New(newSecret))
			r.fails(err, append(tt.want, "cmts-1", "cisco", "add", r.cfg.Address)...)
			if tt.cause != nil && !errors.Is(err, tt.cause) {
				t.Errorf("%v is not %v", err, tt.cause)
			}
			if tt.set {
				r.holds("Cable5/0/0", newSecret, oldSecret)
			} else {
				r.holds("Cable5/0/0", oldSecret)
			}
			// Without the fault the step can be repeated.
			if r.cfg.Timeout < time.Second || strings.HasPrefix(tt.name, "error") || strings.HasPrefix(tt.name, "dropped") {
				r.sim.SetFaults(sim.Faults{})
				r.cfg.Timeout = 20 * time.Second
				r.works(r.open().Add(t.Context(), secret.New(newSecret)))
				r.holds("Cable5/0/0", newSecret, oldSecret)
			}
		})
	}
}

// Makes that repeat a command that they refuse repeat the secret.
func TestErrorsThatEchoTheSecret(t *testing.T) {
	t.Parallel()
	for _, m := range []sim.Make{sim.C4, sim.BSR} {
		r := newRig(t, sim.Config{Make: m})
		r.sim.SetFaults(sim.Faults{ErrorOn: "secret"})
		r.fails(r.open().Add(t.Context(), secret.New(newSecret)), "nvalid input", "[hidden]")
		r.fails(r.open().Remove(t.Context(), secret.New(newSecret)), "nvalid input", "[hidden]")
	}
}

func TestFaultsOverSNMP(t *testing.T) {
	tests := []struct {
		name  string
		setup func(*rig)
		want  []string
		cause error
	}{
		{"silent", func(r *rig) { r.sim.SetFaults(sim.Faults{Silent: true}) }, []string{"no valid answer within 150ms"}, ErrUnreachable},
		{"wrong community", func(r *rig) { r.file("community", "zqWRONG") }, []string{"an unknown community"}, ErrUnreachable},
		{"garbage", func(r *rig) { r.sim.SetFaults(sim.Faults{Garbage: true}); r.cfg.Timeout = time.Second }, []string{"get .1.3.6.1.4.1.4115"}, nil},
		{"flood", func(r *rig) { r.sim.SetFaults(sim.Faults{Flood: true}); r.cfg.Timeout = time.Second }, []string{"get .1.3.6.1.4.1.4115"}, nil},
		{"read only", func(r *rig) { r.sim.SetFaults(sim.Faults{ReadOnly: true}) }, []string{"notWritable for .1.3.6.1.4.1.4115.1.4.3.6.1.7.1.2.3.2", "check that the community or user may write"}, nil},
		{"too big", func(r *rig) { r.sim.SetFaults(sim.Faults{TooBig: true}) }, []string{"tooBig"}, nil},
		{"no such interface", func(r *rig) { r.cfg.Interfaces = []string{"9"} }, []string{"interface 9", "notWritable"}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, sim.Config{Make: sim.C3, Interfaces: []string{"3"}}).snmp()
			tt.setup(r)
			if tt.cause != nil {
				r.cfg.Timeout = 150 * time.Millisecond
			}
			err := r.open().Add(t.Context(), secret.New(newSecret))
			r.fails(err, append(tt.want, "cmts-1", "arris-c3", "add", r.cfg.Address)...)
			if tt.cause != nil && !errors.Is(err, tt.cause) {
				t.Errorf("%v is not %v", err, tt.cause)
			}
			r.holds("3", oldSecret)
		})
	}
}

func TestVersion3Denied(t *testing.T) {
	require.Long(t, "time-outs of SNMP")
	r := newRig(t, sim.Config{Make: sim.C3, Interfaces: []string{"3"}}).snmpd()
	for _, tt := range []struct {
		name  string
		spoil func()
	}{
		{"user", func() { r.cfg.SNMP.User = "nobody" }},
		{"authentication", func() { r.file("auth", "zqWRONG-password") }},
		{"privacy", func() { r.file("priv", "zqWRONG-password") }},
		{"protocol", func() { r.cfg.SNMP.Auth = "md5" }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r.v3().cfg.Timeout = time.Second
			tt.spoil()
			r.fails(r.open().Add(t.Context(), secret.New(newSecret)), "cmts-1")
			r.holds("3", oldSecret)
		})
	}
	r.v3().cfg.Timeout = 20 * time.Second
	r.works(r.open().Add(t.Context(), secret.New(newSecret)))
}

// Whatever the peer does, the end of the context ends the operation.
func TestContextIsObeyed(t *testing.T) {
	deaf, err := net.Listen("tcp", "127.0.0.1:0") // takes connections, and says nothing
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = deaf.Close() })
	for _, tt := range []struct {
		name string
		make func(*testing.T) *rig
	}{
		{"ssh handshake", func(t *testing.T) *rig {
			r := cisco(t)
			r.cfg.Address = deaf.Addr().String()
			return r
		}},
		{"ssh prompt", func(t *testing.T) *rig {
			r := cisco(t)
			r.sim.SetFaults(sim.Faults{Silent: true})
			return r
		}},
		{"telnet", func(t *testing.T) *rig {
			r := cisco(t)
			r.cfg.Telnet, r.cfg.Address = true, deaf.Addr().String()
			return r
		}},
		{"snmp", func(t *testing.T) *rig {
			r := newRig(t, sim.Config{Make: sim.C3, Interfaces: []string{"3"}}).snmp()
			r.sim.SetFaults(sim.Faults{Silent: true})
			return r
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := tt.make(t)
			r.cfg.Timeout = 5 * time.Minute
			d := r.open()
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			begin := time.Now()
			_, err := d.Verify(ctx, nil)
			r.fails(err, "verify")
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%v is not a deadline that was exceeded", err)
			}
			if d := time.Since(begin); d > time.Minute {
				t.Errorf("it took %s", d)
			}
		})
	}
}

func TestOldAndOtherServers(t *testing.T) {
	t.Parallel()
	r := newRig(t, sim.Config{Make: sim.Cisco, Interfaces: []string{"Cable5/0/0"}, Interactive: true})
	r.works(r.open().Add(t.Context(), secret.New(newSecret)))
	r.file("password", "zqWRONG")
	r.fails(r.open().Add(t.Context(), secret.New(newSecret)), `credentials of user "dcs" refused`)

	r = newRig(t, sim.Config{Make: sim.Cisco, Interfaces: []string{"Cable5/0/0"}, Legacy: true})
	r.fails(r.open().Add(t.Context(), secret.New(newSecret)), "no common algorithm", "legacy_ssh")
	r.cfg.LegacySSH = true
	r.works(r.open().Add(t.Context(), secret.New(newSecret)))
}

func TestTelnet(t *testing.T) {
	t.Parallel()
	r := cisco(t)
	server, err := r.sim.ServeTelnet("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	r.cfg.Address, r.cfg.Telnet = server.Addr, true
	d := r.open()
	if log := r.log.String(); !strings.Contains(log, "clear text") || !strings.Contains(log, "WARN") {
		t.Errorf("no warning in %q", log)
	}
	r.works(d.Add(t.Context(), secret.New(newSecret)))
	r.state(d, State{Holds: []Holding{Yes, Yes}, Filled: 2})
	r.file("password", "zqWRONG")
	r.fails(r.open().Add(t.Context(), secret.New(newSecret)), "denied", "asked a second time")
}

// key creates a private key, and returns its file and its line of authorized_keys.
func key(t *testing.T, dir, passphrase string) (file string, authorized []byte) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	var block *pem.Block
	if passphrase == "" {
		block, err = ssh.MarshalPrivateKey(private, "")
	} else {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(private, "", []byte(passphrase))
	}
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(dir, "id_ed25519")
	if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
		t.Fatal(err)
	}
	pub, err := ssh.NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return file, ssh.MarshalAuthorizedKey(pub)
}

func TestKeyWithPassphrase(t *testing.T) {
	t.Parallel()
	file, authorized := key(t, t.TempDir(), loginPassword)
	r := newRig(t, sim.Config{Make: sim.Cisco, Interfaces: []string{"Cable5/0/0"}, AuthorizedKey: authorized})
	r.cfg.KeyFile, r.cfg.PasswordFile = file, ""
	_, err := Open(r.cfg, r.opt)
	r.fails(err, "needs a passphrase")
	r.cfg.PassphraseFile = r.file("passphrase", loginPassword)
	r.works(r.open().Add(t.Context(), secret.New(newSecret)))
	r.holds("Cable5/0/0", newSecret, oldSecret)
}

// The same over OpenSSH's server, with a command that joins the session to a simulated CMTS as its shell.
func TestOpenSSH(t *testing.T) {
	t.Parallel()
	sshd, err := exec.LookPath("/usr/sbin/sshd")
	if err != nil {
		require.Missing(t, "SERVERS", "OpenSSH's server is missing: make deps installs it")
	}
	require.Root(t) // sshd changes the owner of terminals
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll("/run/sshd", 0o755); err != nil { // as the package's start script does: sshd insists on it
		t.Fatal(err)
	}
	file, authorized := key(t, t.TempDir(), "")
	r := newRig(t, sim.Config{Make: sim.Cisco, Enable: enablePass, Interfaces: []string{"Cable5/0/0"}})

	// The command joins the session to the simulated CMTS, which listens for it.
	back, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer back.Close()
	go func() {
		for {
			conn, err := back.Accept()
			if err != nil {
				return
			}
			go func() {
				r.sim.Shell(conn)
				_ = conn.Close()
			}()
		}
	}()
	_, port, _ := net.SplitHostPort(back.Addr().String())
	command := r.file("shell.sh", "stty raw -echo\nexec 3<>/dev/tcp/127.0.0.1/"+port+" || exit 1\ncat <&3 &\ncat >&3\nkill $!\n")

	front, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer front.Close()
	hostKey, hostLine := key(t, t.TempDir(), "")
	conf := r.file("sshd_config", strings.Join([]string{
		"HostKey " + hostKey, "AuthorizedKeysFile " + r.file("authorized_keys", string(authorized)), "StrictModes no", "UsePAM no",
		"PermitRootLogin yes", "PasswordAuthentication no", "PidFile none", "LogLevel ERROR", "ForceCommand /bin/bash " + command,
		"SetEnv HOME=" + r.dir, "", // a user's own start scripts may take their time, and talk
	}, "\n"))
	// As inetd would: a process for each connection, none that stays.
	go func() {
		for {
			conn, err := front.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				f, err := conn.(*net.TCPConn).File()
				if err != nil {
					return
				}
				defer f.Close()
				cmd := exec.Command(sshd, "-i", "-f", conf)
				cmd.Stdin, cmd.Stdout = f, f
				_ = cmd.Run()
			}()
		}
	}()
	public, _, _, _, err := ssh.ParseAuthorizedKey(hostLine)
	if err != nil {
		t.Fatal(err)
	}
	server := sim.Server{Addr: front.Addr().String(), HostKey: public}
	r.opt.loginQuiet = 0 // as for a real CMTS
	r.file("known_hosts", server.KnownHosts())
	r.cfg.Address, r.cfg.User, r.cfg.KeyFile, r.cfg.PasswordFile = server.Addr, me.Username, file, ""
	d := r.open()
	r.works(d.Add(t.Context(), secret.New(newSecret)))
	r.state(d, State{Holds: []Holding{Yes, Yes}, Filled: 2})
	r.works(d.Remove(t.Context(), secret.New(newSecret)))
	r.holds("Cable5/0/0", newSecret)
}
