package main

import (
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"dcs/cmd/internal/admin"
	"dcs/cmd/internal/assemble"
	"dcs/cmd/internal/cli"
	"dcs/cmd/internal/cmts"
	"dcs/cmd/internal/config"
	"dcs/cmd/internal/httpboot"
	"dcs/cmd/internal/httpserve"
	"dcs/cmd/internal/keyring"
	"dcs/cmd/internal/remote"
	"dcs/cmd/internal/secretjob"
	"dcs/render/attr/ldapdir"
	"dcs/render/attr/sqldb"
	"dcs/render/attr/sqldb/sqlite"
)

// privateReaders are all who read a file with a secret in it. Each is given the path of one.
var privateReaders = map[string]func(t *testing.T, path string) error{
	"secret_file": func(_ *testing.T, path string) error {
		_, err := assemble.ReadSecrets(&config.Config{SecretFile: path}, nil)
		return err
	},
	"--secret-file": func(_ *testing.T, path string) error {
		_, err := loadSecret(cli.Env{Stderr: io.Discard}, path)
		return err
	},
	"a new secret": func(t *testing.T, path string) error {
		return new(secretjob.Job).Rotate(t.Context(), secretjob.Rotation{SecretFile: path})
	},
	"secrets": func(_ *testing.T, path string) error {
		_, err := keyring.Load(path)
		return err
	},
	"a secret's file": func(_ *testing.T, path string) error {
		f := keyring.File{Path: "/", Secrets: map[string]keyring.Source{"main": {File: path}}}
		_, err := f.Reveal("main")
		return err
	},
	"a secret's credential": func(t *testing.T, path string) error {
		t.Setenv("CREDENTIALS_DIRECTORY", filepath.Dir(path))
		f := keyring.File{Path: "/", Secrets: map[string]keyring.Source{"main": {Credential: filepath.Base(path)}}}
		_, err := f.Reveal("main")
		return err
	},
	"admin_token_file": func(_ *testing.T, path string) error {
		s, err := admin.New(admin.Config{Addresses: []string{"127.0.0.1:0"}, TokenFile: path}, slog.New(slog.DiscardHandler))
		if err == nil {
			_ = s.Close()
		}
		return err
	},
	"admin_token_file of a client": func(_ *testing.T, path string) error {
		_, err := remote.DialAdmin(&config.Config{Admin: []string{"127.0.0.1:1"}, AdminTokenFile: path}, "127.0.0.1:1")
		return err
	},
	"admin_key": func(t *testing.T, path string) error {
		_, err := httpserve.KeyPair(empty(t), path)
		return err
	},
	"http_key": func(t *testing.T, path string) error {
		_, err := httpboot.TLS(empty(t), path)
		return err
	},
	"dsn_file": func(t *testing.T, path string) error {
		s, err := sqldb.New(sqldb.Config{DSNFile: path, Query: "SELECT mac FROM devices"}, sqlite.Driver())
		if err == nil {
			_, err = s.Open(t.Context())
		}
		return err
	},
	"ldap's password_file": func(t *testing.T, path string) error {
		s, err := ldapdir.New(ldapdir.Config{
			URL: "ldaps://127.0.0.1:1", Base: "ou=devices", Filter: "(objectClass=*)", BindDN: "cn=dcs", PasswordFile: path,
			Attributes: map[string]string{"a": "a"}, Timeout: time.Second,
		})
		if err == nil {
			_, err = s.Open(t.Context())
		}
		return err
	},
	"a CMTS's password_file": func(_ *testing.T, path string) error {
		_, err := cmts.Open(cmts.CMTS{Name: "a", Address: "127.0.0.1", Driver: "cisco", User: "dcs", PasswordFile: path, Interfaces: []string{"Cable5/0/0"}}, cmts.Options{KnownHosts: os.DevNull})
		return err
	},
	"a CMTS's key_file": func(_ *testing.T, path string) error {
		_, err := cmts.Open(cmts.CMTS{Name: "a", Address: "127.0.0.1", Driver: "cisco", User: "dcs", KeyFile: path, Interfaces: []string{"Cable5/0/0"}}, cmts.Options{KnownHosts: os.DevNull})
		return err
	},
}

func empty(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "cert")
	write(t, path, "")
	return path
}

// One rule holds for every file with a secret: whoever reads it refuses one that is not private, and does not wait for it.
func TestPrivateFiles(t *testing.T) {
	ways := map[string]struct {
		make func(path string) error
		want string
	}{
		"others read it":   {func(p string) error { return errors.Join(os.WriteFile(p, nil, 0o600), os.Chmod(p, 0o644)) }, "mode 0644 gives others access"},
		"the group writes": {func(p string) error { return errors.Join(os.WriteFile(p, nil, 0o600), os.Chmod(p, 0o660)) }, "mode 0660 gives others access"},
		"a link to such": {func(p string) error {
			return errors.Join(os.WriteFile(p+"x", nil, 0o644), os.Chmod(p+"x", 0o604), os.Symlink(p+"x", p))
		}, "mode 0604 gives others access"},
		"a named pipe":       {func(p string) error { return syscall.Mkfifo(p, 0o600) }, "not a regular file"},
		"a directory":        {func(p string) error { return os.Mkdir(p, 0o700) }, "not a regular file"},
		"a device":           {func(p string) error { return os.Symlink("/dev/zero", p) }, "not a regular file"},
		"larger than any":    {func(p string) error { return errors.Join(os.WriteFile(p, nil, 0o600), os.Truncate(p, 1<<31)) }, "larger than"},
		"one that is absent": {func(string) error { return nil }, "no such file"},
	}
	for name, read := range privateReaders {
		for way, w := range ways {
			t.Run(name+"/"+way, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "private")
				if err := w.make(path); err != nil {
					t.Fatal(err)
				}
				late := time.AfterFunc(30*time.Second, func() { panic(name + ": still reading") })
				defer late.Stop()
				err := read(t, path)
				if err == nil || !strings.Contains(err.Error(), w.want) || !strings.Contains(err.Error(), path) {
					t.Errorf("%v; want %q and the path", err, w.want)
				}
				if w.want == "no such file" && !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("%v does not wrap fs.ErrNotExist", err)
				}
			})
		}
	}
}
