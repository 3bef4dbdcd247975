package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"dcs/render/attr/csvfile"
	"dcs/render/attr/ldapdir"
	"dcs/render/attr/plugin"
	"dcs/render/attr/sqldb"
	"dcs/render/secret"
)

// Devices configures the sources of device attributes.
type Devices struct {
	Sources []DeviceSource // in order of precedence
	Dir     string         // of the snapshot; empty: a default
	Proxies []netip.Prefix // may say which device a request is for
	Bind    Bind
	// MACInName says whether NAME@MAC requests NAME for the device MAC.
	MACInName bool
	Prebuild  bool
}

// DeviceSource is one source. Exactly one of the pointers is not nil.
type DeviceSource struct {
	Pos    string // file:line:column
	CSV    *csvfile.Config
	SQL    *SQL
	LDAP   *ldapdir.Config
	Plugin *Plugin
	File   *DeviceFile
}

// SQL is a database as a source.
type SQL struct {
	Driver string // mysql, postgres or sqlite
	sqldb.Config
}

// Plugin is a program as a source.
type Plugin struct {
	User string // to run as, in the form of [Config.User]; empty: the server's
	plugin.Config
}

// DeviceFile is a file made by dcs devices build.
type DeviceFile struct {
	Path string
	Poll time.Duration
}

// sqlDrivers are the names of the supported database drivers.
var sqlDrivers = []string{"mysql", "postgres", "sqlite"}

// maxWait is the longest duration that a setting of a source may have.
const maxWait = 30 * 24 * time.Hour

// sources returns the field for a list of sources.
func sources(p *[]DeviceSource) field {
	return field{
		list: true, structured: true, want: `a list of sources such as "- csv: /etc/dcs/devices.csv"`,
		reset: func() { *p = nil },
		value: func() any { return *p },
		node:  func(r *reader, n ast.Node) { r.sources(p, n) },
	}
}

func (r *reader) sources(p *[]DeviceSource, n ast.Node) {
	seq, ok := n.(*ast.SequenceNode)
	if !ok {
		r.fail(n, "devices: unexpected %s; expected a list of sources such as \"- csv: /etc/dcs/devices.csv\"", describe(n))
		return
	}
	for _, item := range seq.Values {
		pairs := pairsOf(item)
		if len(pairs) != 1 {
			r.fail(item, "unexpected %s; expected one source: csv, sql, ldap, plugin or localdb, with its settings", describe(item))
			continue
		}
		r.source(p, pairs[0])
	}
}

// pairsOf returns the settings of a block; nil if n is not a block.
func pairsOf(n ast.Node) []*ast.MappingValueNode {
	switch n := n.(type) {
	case *ast.MappingNode:
		return n.Values
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}
	}
	return nil
}

// source reads one source. A text instead of a block is the path of a file.
func (r *reader) source(p *[]DeviceSource, pair *ast.MappingValueNode) {
	at := pair.Key.GetToken().Position
	s := DeviceSource{Pos: fmt.Sprintf("%s:%d:%d", r.name, at.Line, at.Column)}
	var keys []Key
	short := ""
	kind := pair.Key.GetToken().Value
	var required []string
	switch kind {
	case "csv":
		s.CSV = &csvfile.Config{}
		keys, short, required = csvKeys(s.CSV), "path", []string{"path"}
	case "localdb":
		s.File = &DeviceFile{}
		keys, short, required = fileKeys(s.File), "path", []string{"path"}
	case "sql":
		s.SQL = &SQL{}
		keys, required = sqlKeys(s.SQL), []string{"driver", "query"}
	case "ldap":
		s.LDAP = &ldapdir.Config{}
		keys, required = ldapKeys(s.LDAP), []string{"url", "base", "filter", "attributes"}
	case "plugin":
		s.Plugin = &Plugin{}
		keys, required = pluginKeys(s.Plugin), []string{"argv"}
	default:
		r.fail(pair.Key, "unknown source %q; expected csv, sql, ldap, plugin or localdb", kind)
		return
	}
	inner := &reader{name: r.name, dir: r.dir, keys: keys}
	if pairs := pairsOf(pair.Value); pairs != nil {
		for _, v := range pairs {
			required = slices.DeleteFunc(required, func(k string) bool { return k == v.Key.GetToken().Value })
			inner.pair(v)
		}
		if len(required) > 0 {
			inner.fail(pair.Key, "%s: missing %s", kind, strings.Join(required, ", "))
		}
	} else if i := slices.IndexFunc(keys, func(k Key) bool { return k.Name == short }); i >= 0 {
		inner.scalar(keys[i], pair.Value)
	} else {
		inner.fail(pair.Value, "%s: unexpected %s; expected a block of settings", kind, describe(pair.Value))
	}
	if r.errs = append(r.errs, inner.errs...); len(inner.errs) == 0 {
		*p = append(*p, s)
	}
}

// word returns the field for a text that must not be empty.
func word(p *string, want string) field {
	return one(p, "text", want, text, func(s string) (string, error) {
		if s == "" {
			return "", fmt.Errorf("empty; expected %s", want)
		}
		return s, nil
	})
}

// secretText returns the field for a secret text, which errors do not quote and which must not be empty.
func secretText(p *secret.Text, want string) field {
	f := one(p, "text", want, text, func(s string) (secret.Text, error) {
		if s == "" {
			return secret.Text{}, fmt.Errorf("empty; expected %s", want)
		}
		return secret.New(s), nil
	})
	f.secret = true
	return f
}

// secretTexts returns the field for a list of secret texts, which errors do not quote.
func secretTexts(p *[]secret.Text, want string) field {
	f := many(p, "texts", want, func(s string) (secret.Text, error) { return secret.New(s), nil })
	f.secret = true
	return f
}

func oneOf(p *string, choices ...string) field {
	want := "one of " + strings.Join(choices, ", ")
	return one(p, "word", want, text, func(s string) (string, error) {
		if !slices.Contains(choices, s) {
			return "", fmt.Errorf("%s is not %s", s, want)
		}
		return s, nil
	})
}

func list(p *[]string, want string) field {
	return many(p, "texts", want, func(s string) (string, error) { return s, nil })
}

// mapping returns the field for a block of names and values.
func mapping(p *map[string]string, want string) field {
	return field{
		structured: true, want: want,
		reset: func() { *p = nil },
		node: func(r *reader, n ast.Node) {
			pairs := pairsOf(n)
			if pairs == nil {
				r.fail(n, "unexpected %s; expected %s", describe(n), want)
			}
			for _, pair := range pairs {
				if !text(pair.Value) {
					r.fail(pair.Value, "unexpected %s; expected a name", describe(pair.Value))
					continue
				}
				if *p == nil {
					*p = map[string]string{}
				}
				(*p)[pair.Key.GetToken().Value] = pair.Value.GetToken().Value
			}
		},
	}
}

func csvKeys(c *csvfile.Config) []Key {
	return []Key{
		{Name: "path", field: path(&c.Path)},
		{Name: "name", field: word(&c.Name, "a name for logs")},
		{Name: "comma", field: one(&c.Comma, "character", "one character, as in \"comma: ';'\"", text, func(s string) (byte, error) {
			if len(s) != 1 || s == `"` || s == "\n" {
				return 0, fmt.Errorf("%q is not a single character that can separate fields", s)
			}
			return s[0], nil
		})},
		{Name: "max_rejected", field: number(&c.MaxRejected, -1, 1<<30)},
		{Name: "settle", field: duration(&c.Debounce, 0, time.Minute)},
		{Name: "poll", field: duration(&c.Poll, 0, maxWait)},
	}
}

func fileKeys(c *DeviceFile) []Key {
	return []Key{
		{Name: "path", field: path(&c.Path)},
		{Name: "poll", field: duration(&c.Poll, 0, maxWait)},
	}
}

func sqlKeys(c *SQL) []Key {
	return []Key{
		{Name: "driver", field: oneOf(&c.Driver, sqlDrivers...)},
		{Name: "name", field: word(&c.Name, "a name for logs")},
		{Name: "dsn", field: secretText(&c.DSN, "how to reach the database")},
		{Name: "dsn_file", field: path(&c.DSNFile)},
		{Name: "query", field: word(&c.Query, "a query for all devices")},
		{Name: "changed_query", field: word(&c.ChangedQuery, "a query for those that have changed since its parameter")},
		{Name: "watermark", field: word(&c.Watermark, "a column")},
		{Name: "poll", field: duration(&c.Poll, 0, maxWait)},
		{Name: "overlap", field: duration(&c.Overlap, -1, maxWait)},
		{Name: "channel", field: word(&c.Channel, "a channel to LISTEN on")},
		{Name: "ask_query", field: word(&c.AskQuery, "a query for one device")},
		{Name: "ask_params", field: list(&c.AskParams, "a list of mac and ip")},
		{Name: "reload", field: duration(&c.Reload, 0, maxWait)},
		{Name: "timeout", field: duration(&c.Timeout, 0, maxWait)},
		{Name: "connections", field: number(&c.Connections, 1, 1000)},
		{Name: "max_rejected", field: number(&c.MaxRejected, -1, 1<<30)},
	}
}

func ldapKeys(c *ldapdir.Config) []Key {
	return []Key{
		{Name: "url", field: word(&c.URL, "a URL such as ldap://directory.example")},
		{Name: "name", field: word(&c.Name, "a name for logs")},
		{Name: "starttls", field: boolean(&c.StartTLS)},
		{Name: "ca_file", field: path(&c.CAFile)},
		{Name: "bind_dn", field: word(&c.BindDN, "a distinguished name")},
		{Name: "password_file", field: path(&c.PasswordFile)},
		{Name: "base", field: word(&c.Base, "a distinguished name")},
		{Name: "scope", field: oneOf(&c.Scope, "sub", "one", "base")},
		{Name: "filter", field: word(&c.Filter, "a filter such as (objectClass=dcsModem)")},
		{Name: "mac_attribute", field: word(&c.MACAttr, "an attribute of the directory")},
		{Name: "ip_attribute", field: word(&c.IPAttr, "an attribute of the directory")},
		{Name: "attributes", field: mapping(&c.Attributes, `the directory's attributes with our names for them, as in "{dcsProfile: profile}"`)},
		{Name: "ask_filter", field: word(&c.AskFilter, "a filter with {mac} or {mac12} in it")},
		{Name: "ask_ip_filter", field: word(&c.AskIPFilter, "a filter with {ip} in it")},
		{Name: "poll", field: duration(&c.Poll, 0, maxWait)},
		{Name: "overlap", field: duration(&c.Overlap, -1, maxWait)},
		{Name: "reload", field: duration(&c.Reload, -1, maxWait)},
		{Name: "timeout", field: duration(&c.Timeout, 0, maxWait)},
		{Name: "page_size", field: number(&c.PageSize, 1, 1<<20)},
		{Name: "max_rejected", field: number(&c.MaxRejected, -1, 1<<30)},
	}
}

func pluginKeys(c *Plugin) []Key {
	return []Key{
		{Name: "argv", field: list(&c.Argv, "a list: the program and its arguments")},
		{Name: "name", field: word(&c.Name, "a name for logs")},
		{Name: "user", field: userName(&c.User)},
		{Name: "dir", field: path(&c.Dir)},
		{Name: "env", field: secretTexts(&c.Env, "a list of NAME=value")},
		{Name: "changes", field: boolean(&c.Changes)},
		{Name: "start_timeout", field: duration(&c.StartTimeout, 0, maxWait)},
		{Name: "timeout", field: duration(&c.Timeout, 0, maxWait)},
		{Name: "max_devices", field: number(&c.MaxDevices, 1, 1<<31)},
		{Name: "max_rejected", field: number(&c.MaxRejected, -1, 1<<30)},
	}
}
