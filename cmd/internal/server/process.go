package server

import (
	"log/slog"

	"dcs/cmd/internal/config"
	"dcs/cmd/internal/ingress"
	"dcs/cmd/internal/sandbox"
)

// process is the server's user, capabilities, sandbox and memory limit.
type process struct {
	file   string // of the configuration; "": there is none
	cfg    *config.Config
	reread func() (config.Config, error) // nil: the configuration does not change
	log    *slog.Logger

	writes  []string // the directories that the server writes to
	sandbox sandbox.Result
}

// begin changes to the server's user and limits its memory, before anything is opened.
func (p *process) begin() error {
	if err := p.becomeUser(); err != nil {
		return err
	}
	if p.startsPlugins() {
		p.enterSandbox(true) // with bpf(2), which opening takes
	}
	p.limitMemory()
	return nil
}

// restrict drops what only opening needs, once everything is open.
func (p *process) restrict(in *ingress.Ingress, addresses *addresses) {
	p.dropPrivileges(in, addresses)
	if !p.startsPlugins() {
		p.enterSandbox(in.Steering() != nil)
	}
}
