package main

import (
	"crypto/hmac"
	"crypto/md5"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"dcs/bench/require"
	"dcs/bench/rotation/lab"
	"dcs/cmd/internal/keyring"
)

// signedFile makes a modem's file by the standard library alone, of TLVs 3, 18, 24 and 25 (MULPIv3.0 C.1.1.5, C.1.1.6).
func signedFile(cpes byte, secret string) string {
	file := []byte{3, 1, 1, 18, 1, cpes, 24, 7, 1, 2, 0, 1, 6, 1, 7, 25, 7, 1, 2, 0, 2, 6, 1, 7}
	cm := md5.Sum(file)
	file = append(append(file, 6, 16), cm[:]...)
	h := hmac.New(md5.New, []byte(secret))
	h.Write(slices.Concat(file[:3], file[24:42], file[3:24]))
	file = append(append(append(file, 7, 16), h.Sum(nil)...), 255)
	return string(append(file, 0, 0, 0)[:(len(file)+3)/4*4])
}

func TestCheckStatic(t *testing.T) {
	require.Long(t, "checks of the host")
	const ours = "library: lib\nstatic: static\nsecret_file: secret\n"
	const ring = "library: lib\nstatic: static\nsecrets: ring.yaml\n"
	const keys = "default: main\nsecrets:\n  main: {text: right}\n  south: {text: other}\n  last: {text: former}\nprefixes: {10.9.0.0/16: south}\n"
	lib := "Main ~ \"^res-\" { NetworkAccess 1; " + soundFlows + "}\nMain \"own.bin\" { NetworkAccess 1; " + soundFlows + "}\n"
	good := signedFile(1, "right")
	broken := []byte(good)
	broken[5]++
	many := map[string]string{"dcs.yaml": ours}
	for i := range 25 {
		many[fmt.Sprintf("static/f%02d", i)] = ""
	}
	for _, tt := range []struct {
		name   string
		files  map[string]string
		status int
		want   []string // parts of what is told, in any order
		never  []string
	}{
		{"all is well", map[string]string{"dcs.yaml": ours, "static/a": good, "static/fw": "\x7fELF\x01\x02" + strings.Repeat("x\x00", 90)}, done, nil, []string{"static"}},
		{"a CM MIC", map[string]string{"dcs.yaml": ours, "static/a": string(broken)}, failed, []string{"static/a: the CM MIC (6) is wrong"}, nil},
		{"cut", map[string]string{"dcs.yaml": ours, "static/a": good[:48]}, failed, []string{"static/a: TLV 7 at offset 42 needs 16 octets of value, 4 are left"}, nil},
		{"empty", map[string]string{"dcs.yaml": ours, "static/a": ""}, failed, []string{"static/a: the file is empty"}, nil},
		{"many", many, failed, []string{"static/f00: the file is empty", "static/f19", "… and 5 more static files that are empty"}, []string{"static/f20"}},
		{"another secret", map[string]string{"dcs.yaml": ours, "static/a": signedFile(1, "wrong")}, failed, []string{"static/a: the CMTS MIC (7) is valid under none of the server's secrets"}, nil},
		{"the empty secret", map[string]string{"dcs.yaml": ours, "static/a": signedFile(1, "")}, failed, []string{"static/a: the CMTS MIC (7)"}, nil},
		{
			"no secret",
			map[string]string{"dcs.yaml": "static: static\n", "static/a": signedFile(1, "wrong"), "static/b": signedFile(1, "more")},
			done,
			[]string{"warning: the CMTS MICs of 2 static files are unchecked: no secret is configured\n"},
			[]string{"static/a"},
		},
		{
			"secrets of CMTSes",
			map[string]string{"dcs.yaml": ring, "ring.yaml": keys, "static/a": good, "static/b": signedFile(1, "other"), "static/c": signedFile(2, "other")},
			done,
			[]string{"note: 1 file, static/a signed under main: ", "note: 2 files, such as static/b signed under south: "},
			nil,
		},
		{
			"a secret that nobody holds",
			map[string]string{"dcs.yaml": ring, "ring.yaml": keys, "static/a": signedFile(1, "former")},
			failed,
			[]string{"static/a: the CMTS MIC (7) is of the secret last, which no CMTS has any more\n"},
			[]string{"former"},
		},
		{
			"signed anew",
			map[string]string{"dcs.yaml": "static: {dir: static, resign: on}\nsecret_file: secret\n", "static/a": signedFile(1, "wrong"), "static/b": "text"},
			done,
			[]string{"note: 1 file, static/b, of directories with resign: served unchanged"},
			[]string{"static/a"},
		},
		{
			"not to be signed anew",
			map[string]string{"dcs.yaml": "static: {dir: static, resign: on}\nsecret_file: secret\n", "static/a": string(broken)},
			failed,
			[]string{"static/a: the CM MIC (6) is wrong"},
			nil,
		},
		{
			"a Binary item",
			map[string]string{"dcs.yaml": ours, "lib/b.dcs": "\nBinary \"b\" from \"b.octets\"", "lib/b.octets": string(broken), "static/x": "x"},
			failed,
			[]string{"lib/b.dcs:2:1: Binary from lib/b.octets: the CM MIC (6) is wrong"},
			nil,
		},
		{
			"hidden patterns",
			map[string]string{"dcs.yaml": ours, "static/res-b": good, "static/res-a": good, "static/x": good},
			done,
			[]string{"warning: 2 static files hide a pattern, such as static/res-a, which lib/m.dcs:1:8 would make: "},
			nil,
		},
		{"dangling link", map[string]string{"dcs.yaml": ours, "static/x": good, "static/link": "@nowhere"}, failed, []string{"static/link: cannot be read: the symbolic link leads to nothing; its names get no file"}, nil},
		{"no directory", map[string]string{"dcs.yaml": ours}, failed, []string{"static: cannot be read: no such file or directory; its names get no file"}, nil},
		{
			"offline, and no attributes known",
			map[string]string{"dcs.yaml": ours + "devices: [{csv: d.csv}]\ndevices_dir: state\n", "static/a": ""},
			failed,
			[]string{"static/a: the file is empty"},
			[]string{"the library was not checked"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			for name, text := range tt.files {
				if to, link := strings.CutPrefix(text, "@"); link {
					delete(tt.files, name)
					if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
						t.Fatal(err)
					}
					if err := os.Symlink(to, name); err != nil {
						t.Fatal(err)
					}
				}
			}
			lay(t, map[string]string{"lib/m.dcs": lib, "secret": "right\n"})
			tt.files["dcs.yaml"] = listening(t, tt.files["dcs.yaml"])
			lay(t, tt.files)
			for _, private := range []string{"secret", "ring.yaml"} {
				_ = os.Chmod(private, 0o600)
			}
			args := []string{"check", "--config", "dcs.yaml"}
			if strings.HasPrefix(tt.name, "offline") {
				args = append(args, "--offline")
			}
			got := dcs("", args...)
			if got.status != tt.status || tt.status == done && !strings.Contains(got.stdout, "\nok: ") {
				t.Errorf("%+v", got)
			}
			for _, part := range tt.want {
				if !strings.Contains(got.stderr, part) {
					t.Errorf("%q is missing in\n%s", part, got.stderr)
				}
			}
			for _, part := range tt.never {
				if strings.Contains(got.stderr, part) {
					t.Errorf("%q is in\n%s", part, got.stderr)
				}
			}
		})
	}
}

// An explanation says where a name comes from when a file below a static directory has it, and what that hides.
func TestExplainStatic(t *testing.T) {
	t.Chdir(t.TempDir())
	lay(t, map[string]string{
		"dcs.yaml": "library: lib\nstatic: [static, {dir: anew, resign: on}]\nsecret_file: secret\n", "secret": "right",
		"lib/m.dcs":    "Main ~ \"^res-\" { NetworkAccess 0; }\nText ~ \"^res-b\" priority 2 from \"t\"\n",
		"lib/t":        "text",
		"static/res-a": signedFile(1, "right"), "anew/res-b": signedFile(7, "wrong"),
	})
	if err := os.Symlink("nowhere", "static/res-c"); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][]string{
		"res-a": {"static    static/res-a, 64 octets, served as it is\n", "hides     lib/m.dcs:1:1: Main ~ \"^res-\""},
		"res-b": {"static    anew/res-b, 64 octets, served with new MICs\n", "hides     lib/m.dcs:2:1: Text", "hides     lib/m.dcs:1:1: Main", "MaxCPE 7;", "CMTS MIC: valid"},
		"res-c": {"static/res-c:1:1: the file cannot be read: the symbolic link leads to nothing"},
	} {
		got := dcs("", "explain", name, "--config", "dcs.yaml")
		if (got.status == done) != (name != "res-c") || strings.Contains(got.stdout, "template ") {
			t.Errorf("%s: %+v", name, got)
		}
		for _, part := range want {
			if !strings.Contains(got.stdout+got.stderr, part) {
				t.Errorf("%s: %q is missing in\n%s%s", name, part, got.stdout, got.stderr)
			}
		}
	}
}

// The plan of a rotation, its end and status tell which static files it leaves behind.
func TestSecretStatic(t *testing.T) {
	t.Parallel()
	l, _ := plant(t, lab.Cisco, lab.C4)
	ring, err := keyring.Load(l.Secrets)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := ring.Reveal(ring.Default)
	if err != nil {
		t.Fatal(err)
	}
	static, anew, cfg := filepath.Join(l.Dir, "static"), filepath.Join(l.Dir, "anew"), filepath.Join(l.Dir, "dcs.yaml")
	for name, text := range map[string]string{
		"static/a.bin": signedFile(1, secret.Reveal()), "static/b.bin": signedFile(2, secret.Reveal()), "static/fw": "text", "anew/c.bin": signedFile(3, secret.Reveal()),
	} {
		path := filepath.Join(l.Dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	text := fmt.Sprintf("static: [%s, {dir: %s, resign: on}]\nsecrets: %s\n", static, anew, l.Secrets)
	if err := os.WriteFile(cfg, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	with := func(out string, parts ...string) {
		t.Helper()
		for _, part := range parts {
			if !strings.Contains(out, part) {
				t.Errorf("%q is missing in\n%s", part, out)
			}
		}
		if strings.Contains(out, "c.bin") {
			t.Errorf("what is signed anew is told of:\n%s", out)
		}
	}
	with(secretDone(t, l, "status", "--config", cfg), "Static    2 files, such as "+static+"/a.bin signed with main\n")
	left := "Static    2 files, such as " + static + "/a.bin signed with main: a CMTS without that secret rejects the modems that get one; set resign: on for " + static + ", or sign them again\n"
	with(secretDone(t, l, "rotate", "--config", cfg, "--dry-run"), left, "Nothing was changed.")
	with(secretDone(t, l, "rotate", "--dry-run"), "Static    unknown: no configuration; use --config")
	out := secretDone(t, l, "rotate", "--config", cfg, "--yes", "--drain", "0s")
	if strings.Count(out, left) != 2 {
		t.Errorf("the plan and the end of it have\n%s", out)
	}
	with(secretDone(t, l, "status", "--config", cfg), "Static    2 files, such as "+static+"/a.bin signed with none of these: CMTSes reject their modems\n")
}

// The server tells once of static files that modems refuse, and counts them, but serves them.
func TestServeStaticRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{"a": signedFile(1, "")[:20], "b": "", "c": signedFile(1, "x")} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("nowhere", filepath.Join(dir, "d")); err != nil {
		t.Fatal(err)
	}
	p := serve(t, "--static", dir)
	p.await("files=2 first=" + dir + "/b")
	p.await(dir + "/d: cannot be read: the symbolic link leads to nothing")
}
