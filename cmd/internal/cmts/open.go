package cmts

import (
	"fmt"
	"io"
	"log/slog"
	"maps"
	"time"

	"dcs/render/secret"
)

const defaultTimeout = 10 * time.Second

// Open returns the driver of a CMTS. It reads the description and the credentials, and sends nothing.
func Open(cfg CMTS, opt Options) (Driver, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	d, err := open(cfg, opt)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", cfg.Name, err)
	}
	return d, nil
}

func open(cfg CMTS, opt Options) (Driver, error) {
	desc, err := findDescription(cfg.Driver, opt.Descriptions)
	if err != nil {
		return nil, err
	}
	if cfg.Slots > desc.Slots {
		return nil, fmt.Errorf("slots: %d: %s has %d", cfg.Slots, cfg.Driver, desc.Slots)
	}
	if desc.perInterface && len(cfg.Interfaces) == 0 {
		return nil, fmt.Errorf("interfaces is not set; with %s a secret belongs to an interface", cfg.Driver)
	}
	if !desc.perInterface && len(cfg.Interfaces) > 0 {
		return nil, fmt.Errorf("interfaces is set; with %s a secret belongs to the whole CMTS", cfg.Driver)
	}
	vars := maps.Clone(desc.Vars)
	if vars == nil {
		vars = map[string]string{}
	}
	for k, v := range cfg.Vars {
		if _, ok := vars[k]; !ok {
			return nil, fmt.Errorf("vars: %s has no variable %q", cfg.Driver, k)
		}
		vars[k] = v
	}
	b := base{cfg: cfg, desc: desc, vars: vars, slots: desc.Slots, timeout: defaultTimeout, log: opt.Log}
	if cfg.Slots > 0 {
		b.slots = cfg.Slots
	}
	if cfg.Timeout > 0 {
		b.timeout = cfg.Timeout
	}
	if b.log == nil {
		b.log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	b.log = b.log.With("cmts", cfg.Name)
	if desc.MIB != nil {
		return openSNMP(b)
	}
	return openCLI(b, opt)
}

// base is common to the drivers.
type base struct {
	cfg     CMTS
	desc    *description
	vars    map[string]string
	slots   int
	timeout time.Duration
	log     *slog.Logger
	secrets []secret.Text // credentials, which errors must not show
}

func (b *base) Slots() int { return b.slots }

func (b *base) MaxLen() int { return b.desc.Secret.MaxLength }

func (b *base) Check(secret secret.Text) error {
	if err := b.desc.Secret.check(secret); err != nil {
		return fmt.Errorf("%s: %w", b.cfg.Name, err)
	}
	return nil
}

func (b *base) Close() error { return nil }

// scrubber returns a scrubber that hides the credentials and these secrets, also in the form in which the dialogue writes them.
func (b *base) scrubber(secrets ...secret.Text) *scrubber {
	s := &scrubber{}
	for _, c := range b.secrets {
		s.hide(c)
	}
	for _, c := range secrets {
		s.hide(c)
		if !c.IsZero() {
			s.hide(secret.New(b.desc.Secret.write(c)))
		}
	}
	return s
}

// where begins the errors of an operation.
func (b *base) where(op, address string) string {
	return fmt.Sprintf("%s (%s, %s): %s", b.cfg.Name, b.cfg.Driver, address, op)
}
