package cmts

import (
	"testing"
	"time"

	sim "dcs/bench/cmts"
	"dcs/bench/require"
	"dcs/render/secret"
)

// A banner that looks like prompts, pages although they were switched off, messages between.
func TestTalkativeSystem(t *testing.T) {
	t.Parallel()
	require.Long(t, "a system that does not stop to talk")
	r := newRig(t, sim.Config{Make: sim.Cisco, Interfaces: []string{"Cable5/0/0"}})
	r.opt.loginQuiet = 0 // as for a real CMTS
	r.sim.SetFaults(sim.Faults{Paging: true, Chatter: true, Banner: "\r\n#####\r\nwelcome#\r\nPassword: of no use#\r\n"})
	d := r.open()
	r.works(d.Add(t.Context(), secret.New(newSecret)))
	r.holds("Cable5/0/0", newSecret, oldSecret)
	r.state(d, State{Holds: []Holding{Yes, Yes}, Filled: 2})
}

func TestRotation(t *testing.T) {
	hidden := []Holding{Unknown, Unknown}
	tests := []struct {
		name  string
		cfg   sim.Config
		setup func(*rig)
		slots int
		ifs   []string
		// what Verify sees at the start, with both, and at the end
		start, both, end State
	}{
		{
			"cisco",
			sim.Config{Make: sim.Cisco, Enable: enablePass, Interfaces: []string{"Cable5/0/0", "Cable6/0/0"}},
			nil, 2,
			[]string{"Cable5/0/0", "Cable6/0/0"},
			State{[]Holding{Yes, No}, 1, ""},
			State{[]Holding{Yes, Yes}, 2, ""},
			State{[]Holding{No, Yes}, 1, ""},
		},
		{
			"cisco, type 7",
			sim.Config{Make: sim.Cisco, Encrypted: true, Interfaces: []string{"Cable5/0/0"}},
			nil, 2,
			[]string{"Cable5/0/0"},
			State{[]Holding{Yes, No}, 1, ""},
			State{[]Holding{Yes, Yes}, 2, ""},
			State{[]Holding{No, Yes}, 1, ""},
		},
		{
			"cisco, one slot",
			sim.Config{Make: sim.Cisco, Interfaces: []string{"Cable5/0/0"}},
			func(r *rig) { r.cfg.Slots = 1 }, 1,
			[]string{"Cable5/0/0"},
			State{[]Holding{Yes, No}, 1, ""},
			State{[]Holding{No, Yes}, 1, ""},
			State{[]Holding{No, Yes}, 1, ""},
		},
		{
			"arris c4",
			sim.Config{Make: sim.C4, Enable: enablePass},
			nil, 2,
			[]string{""},
			State{hidden, -1, ""},
			State{hidden, -1, ""},
			State{hidden, -1, ""},
		},
		{
			"motorola bsr",
			sim.Config{Make: sim.BSR, Enable: enablePass},
			nil, 1,
			[]string{""},
			State{hidden, -1, ""},
			State{hidden, -1, ""},
			State{hidden, -1, ""},
		},
		{
			"arris c3",
			sim.Config{Make: sim.C3, Interfaces: []string{"3", "4"}},
			func(r *rig) { r.snmp() }, 2,
			[]string{"3", "4"},
			State{hidden, 1, ""},
			State{hidden, 2, ""},
			State{hidden, 1, ""},
		},
		{
			"arris c3, rows created again",
			sim.Config{Make: sim.C3, Interfaces: []string{"3"}, NotInPlace: true},
			func(r *rig) { r.snmp() }, 2,
			[]string{"3"},
			State{hidden, 1, ""},
			State{hidden, 2, ""},
			State{hidden, 1, ""},
		},
		{
			"arris c3, snmpd 2c",
			sim.Config{Make: sim.C3, Interfaces: []string{"3", "4"}},
			func(r *rig) { r.snmpd().v2c() }, 2,
			[]string{"3", "4"},
			State{hidden, 1, ""},
			State{hidden, 2, ""},
			State{hidden, 1, ""},
		},
		{
			"arris c3, snmpd 3",
			sim.Config{Make: sim.C3, Interfaces: []string{"3", "4"}},
			func(r *rig) { r.snmpd().v3() }, 2,
			[]string{"3", "4"},
			State{hidden, 1, ""},
			State{hidden, 2, ""},
			State{hidden, 1, ""},
		},
		{
			"arris c3, snmpd 3, rows created again",
			sim.Config{Make: sim.C3, Interfaces: []string{"3"}, NotInPlace: true},
			func(r *rig) { r.snmpd().v3() }, 2,
			[]string{"3"},
			State{hidden, 1, ""},
			State{hidden, 2, ""},
			State{hidden, 1, ""},
		},
		{
			"arris c3, one slot",
			sim.Config{Make: sim.C3, Interfaces: []string{"3"}},
			func(r *rig) { r.snmp().cfg.Slots = 1 }, 1,
			[]string{"3"},
			State{hidden, 1, ""},
			State{hidden, 1, ""},
			State{hidden, 1, ""},
		},
		{
			"arris c3, answers lost",
			sim.Config{Make: sim.C3, Interfaces: []string{"3"}},
			func(r *rig) {
				r.snmp()
				retries := 20
				r.cfg.Timeout, r.cfg.SNMP.Retries = 630*time.Millisecond, &retries // a lost answer costs 30 ms
				r.sim.SetFaults(sim.Faults{LoseAnswer: true})
			}, 2,
			[]string{"3"},
			State{hidden, 1, ""},
			State{hidden, 2, ""},
			State{hidden, 1, ""},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, tt.cfg)
			if tt.setup != nil {
				tt.setup(r)
			}
			d := r.open()
			if d.Slots() != tt.slots {
				t.Errorf("%d slots, want %d", d.Slots(), tt.slots)
			}
			ctx := t.Context()
			r.state(d, tt.start)
			// Each step twice: a rotation that is resumed repeats it.
			for range 2 {
				r.works(d.Add(ctx, secret.New(newSecret)))
			}
			r.state(d, tt.both)
			for _, i := range tt.ifs {
				if tt.slots == 2 {
					r.holds(i, newSecret, oldSecret)
				} else {
					r.holds(i, newSecret)
				}
			}
			if tt.slots == 2 { // a rollback, and forward again
				for range 2 {
					r.works(d.Remove(ctx, secret.New(oldSecret)))
				}
				for _, i := range tt.ifs {
					r.holds(i, oldSecret)
				}
				r.works(d.Add(ctx, secret.New(newSecret)))
			}
			for range 2 {
				r.works(d.Remove(ctx, secret.New(newSecret)))
			}
			for _, i := range tt.ifs {
				r.holds(i, newSecret)
			}
			r.state(d, tt.end)
			if tt.cfg.Make != sim.C3 && r.sim.Saves() == 0 {
				t.Error("nothing was saved")
			}
			r.works(d.Remove(ctx, secret.Text{}))
			for _, i := range tt.ifs {
				r.holds(i)
			}
			r.works(d.Close())
		})
	}
}
