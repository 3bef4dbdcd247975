package assemble

import (
	"dcs/cmd/internal/admin"
	"dcs/cmd/internal/config"
)

// AdminConfig returns the configuration of the admin addresses.
func AdminConfig(cfg *config.Config) admin.Config {
	return admin.Config{
		Addresses: cfg.Admin, TokenFile: cfg.AdminTokenFile,
		Cert: cfg.AdminCert, Key: cfg.AdminKey, ClientCA: cfg.AdminClientCA, Hosts: cfg.AdminHosts,
	}
}
