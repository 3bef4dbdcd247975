package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"dcs/render/attr/ldapdir"
	"dcs/render/secret"
)

const marker = "correct-horse"

// No secret of a Config shows, however it is printed. Each structure behind a pointer is printed for itself too, as fmt prints
// addresses of those.
func TestSecretsDoNotShow(t *testing.T) {
	c := Default()
	err := c.parse("x", []byte("devices:\n  - sql: {driver: sqlite, query: q, dsn: "+marker+"}\n  - plugin: {argv: [p], env: [PASSWORD="+marker+"]}\n"))
	if err != nil {
		t.Fatal(err)
	}
	c.Devices.Sources = append(c.Devices.Sources, DeviceSource{LDAP: &ldapdir.Config{}})
	values := []any{c, &c}
	secrets := 0
	walk(reflect.ValueOf(&c).Elem(), "Config", func(path string, v reflect.Value) {
		switch x := v.Interface().(type) {
		case secret.Text:
			if secrets++; !strings.Contains(x.Reveal(), marker) {
				t.Errorf("%s holds %q: the test has no value for it", path, x.Reveal())
			}
		case string:
			if looksSecret(path) {
				t.Errorf("%s is a string; make it a secret.Text", path)
			}
		}
		if v.Kind() == reflect.Pointer {
			values = append(values, v.Interface(), v.Elem().Interface())
		}
	})
	if secrets != 2 {
		t.Errorf("%d secrets, want those of sql and plugin", secrets)
	}
	for _, v := range values {
		var out bytes.Buffer
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		for _, log := range []*slog.Logger{slog.New(slog.NewTextHandler(&out, nil)), slog.New(slog.NewJSONHandler(&out, nil))} {
			log.Info("configuration", "config", v)
		}
		if j, err := json.Marshal(v); err == nil { // a plug-in's configuration has functions
			out.Write(j)
		}
		if y, err := yaml.Marshal(v); err == nil {
			out.Write(y)
		}
		if s := out.String(); strings.Contains(s, marker) || strings.Contains(s, fmt.Sprintf("%x", marker)) {
			t.Errorf("%T shows a secret:\n%s", v, s)
		}
	}
}

// Nor does an error of the file, be the value of the wrong type or in the wrong place.
func TestSecretsDoNotShowInErrors(t *testing.T) {
	for _, tt := range []string{
		"sql: {driver: sqlite, query: q, dsn: 4711}",
		"sql: {driver: sqlite, query: q, dsn: [4711]}",
		"plugin: {argv: [p], env: [4711]}",
		"plugin: {argv: [p], env: {PASSWORD: 4711}}",
	} {
		c := Default()
		if err := c.parse("x", []byte("devices:\n  - "+tt+"\n")); err == nil || strings.Contains(err.Error(), "4711") {
			t.Errorf("%s: %v", tt, err)
		}
	}
}

// walk visits every exported value of a configuration.
func walk(v reflect.Value, path string, visit func(path string, v reflect.Value)) {
	visitable := v.Kind() != reflect.Pointer || !v.IsNil()
	if visitable {
		visit(path, v)
	}
	switch v.Kind() {
	case reflect.Pointer:
		if visitable {
			walk(v.Elem(), path, visit)
		}
	case reflect.Slice:
		for i := range v.Len() {
			walk(v.Index(i), path, visit)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() && v.Type() != reflect.TypeFor[secret.Text]() {
				walk(v.Field(i), path+"."+f.Name, visit)
			}
		}
	}
}

// looksSecret reports whether a setting has the name of a secret, and is no path of a file.
func looksSecret(path string) bool {
	return regexp.MustCompile(`(?i)(dsn|password|token|secret|community|key|env)s?$`).MatchString(path) &&
		path != "Config.Secrets" && path != "Config.AdminKey" && path != "Config.HTTPKey"
}
