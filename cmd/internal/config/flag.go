package config

import (
	"slices"
	"strings"

	"github.com/spf13/pflag"
)

// Flags are the keys as flags of a command.
type Flags struct {
	scratch Config
	values  []*value
}

// AddFlags adds a flag to fs for each of the named keys, or for every key that can be a flag if none is named.
func AddFlags(fs *pflag.FlagSet, keys ...string) *Flags {
	flags := &Flags{}
	for _, k := range flags.scratch.flagKeys() {
		if len(keys) > 0 && !slices.Contains(keys, k.Name) {
			continue
		}
		v := &value{Key: k}
		flags.values = append(flags.values, v)
		summary, _, _ := strings.Cut(strings.Join(strings.Fields(k.Doc), " "), ". ")
		f := fs.VarPF(v, k.Flag(), "", strings.TrimSuffix(summary, "."))
		f.DefValue = k.Default
		if k.field.list {
			f.DefValue = f.DefValue[1 : len(f.DefValue)-1]
		}
		f.DefValue = strings.ReplaceAll(f.DefValue, `"`, "")
		if k.field.onOff {
			f.NoOptDefVal = "on"
		}
	}
	return flags
}

// flagKeys returns the keys that can be flags: all except structured ones.
func (c *Config) flagKeys() []Key {
	return slices.DeleteFunc(c.Keys(), func(k Key) bool { return k.field.structured })
}

// Config returns the settings: the defaults, overridden by the file, unless its name is empty, and then by the flags.
func (f *Flags) Config(file string) (Config, error) {
	c := Default()
	if file != "" {
		if err := c.Load(file); err != nil {
			return c, err
		}
	}
	if err := f.apply(&c); err != nil {
		return c, err
	}
	return c, c.Validate()
}

// Alone returns the settings of the flags over the defaults, for a command that serves nothing: they may lack what to serve.
func (f *Flags) Alone() (Config, error) {
	c := Default()
	return c, f.apply(&c)
}

func (f *Flags) apply(c *Config) error {
	for _, k := range c.flagKeys() {
		set := f.set(k.Name)
		if len(set) > 0 {
			k.field.reset()
		}
		for _, s := range set {
			if err := k.field.add(s, ""); err != nil {
				return err // not reached: Set has checked it
			}
		}
	}
	return nil
}

// Changed reports whether the command line sets any of keys.
func (f *Flags) Changed(keys ...string) bool {
	return slices.ContainsFunc(keys, func(key string) bool { return len(f.set(key)) > 0 })
}

// set returns the values that the command line gives for a key.
func (f *Flags) set(key string) []string {
	for _, v := range f.values {
		if v.Name == key {
			return v.set
		}
	}
	return nil
}

// value is a key as a flag. A list is split at commas, and each use of the flag appends to it.
type value struct {
	Key
	set []string
}

// Set implements [pflag.Value].
func (v *value) Set(s string) error {
	parts := []string{s}
	if v.field.list {
		parts = strings.Split(s, ",")
	}
	for _, part := range parts {
		if err := v.field.add(part, ""); err != nil {
			return err
		}
	}
	if v.field.list {
		parts = append(v.set, parts...)
	}
	v.set = parts
	return nil
}

// String implements [pflag.Value].
func (v *value) String() string { return strings.Join(v.set, ",") }

// Type implements [pflag.Value]: the word for the value in the usage.
func (v *value) Type() string { return v.field.word }
