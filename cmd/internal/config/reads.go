package config

// File is a file or directory that a key names.
type File struct{ Key, Path string }

// Reads returns the files and directories that the server reads, now or at a reload.
func (c *Config) Reads() []File {
	var all []File
	add := func(key string, paths ...string) {
		for _, p := range paths {
			if p != "" {
				all = append(all, File{key, p})
			}
		}
	}
	add("library", c.Library...)
	add("static", c.Static...)
	add("mib_path", c.MIBPath...)
	add("secret_file", c.SecretFile)
	add("secrets", c.Secrets)
	add("admin_token_file", c.AdminTokenFile)
	add("admin_cert", c.AdminCert)
	add("admin_key", c.AdminKey)
	add("admin_client_ca", c.AdminClientCA)
	add("http_cert", c.HTTPCert)
	add("http_key", c.HTTPKey)
	for _, s := range c.Devices.Sources {
		switch {
		case s.CSV != nil:
			add("devices", s.CSV.Path)
		case s.File != nil:
			add("devices", s.File.Path)
		case s.SQL != nil:
			add("devices", s.SQL.DSNFile)
		case s.LDAP != nil:
			add("devices", s.LDAP.PasswordFile, s.LDAP.CAFile)
		}
	}
	return all
}
