package rig

import (
	"errors"
	"os/exec"

	"dcs/bench/netlab"
)

// Dnsmasq returns the path of the dnsmasq that is installed.
func Dnsmasq() (string, error) {
	for _, name := range []string{"dnsmasq", "/usr/sbin/dnsmasq"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("no dnsmasq; run make deps")
}

// DnsmasqArgs returns the arguments with which dnsmasq serves the files of a directory from port 69 of the server's host,
// at its best: without a log and without DNS. The default of 50 transfers would leave modems hanging. It answers options,
// and its transfer ports cannot be configured.
func DnsmasqArgs(dir string) []string {
	return []string{
		"--keep-in-foreground", "--conf-file=/dev/null", "--user=root", "--pid-file=", "--port=0", "--enable-tftp", "--tftp-root=" + dir,
		"--tftp-max=65535", "--listen-address=" + netlab.ServerAddr4.String(), "--bind-interfaces", "--log-facility=/dev/null", "--quiet-tftp",
	}
}
