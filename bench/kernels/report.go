package main

import (
	"fmt"
	"io"
	"strings"
)

// An outcome is the result of a cell, from the worst to the best.
type outcome int

const (
	failed outcome = iota
	refused
	bySockets
	byXDP
)

func (o outcome) String() string {
	return [...]string{"FAILED", "refused", "served by sockets", "served by AF_XDP"}[o]
}

// A cell is a device with a transport.
type cell struct {
	Device, Transport string
	Outcome           outcome
	Detail            string
	Seconds           float64
}

func (c *cell) String() string {
	text := c.Outcome.String()
	if c.Detail != "" {
		text += ": " + strings.ReplaceAll(c.Detail, "|", "\\|")
	}
	if c.worse() {
		text += " (WORSE than expected: " + c.expect().String() + ")"
	} else if c.Outcome == failed {
		text += " (as expected)"
	}
	return text
}

// tests is the result of a package's tests in a machine.
type tests struct {
	Failed  bool
	Detail  string
	Seconds float64
}

func (t *tests) String() string {
	if t.Failed {
		return "FAILED: tests of package bpf: " + t.Detail
	}
	return fmt.Sprintf("the tests of package bpf pass: all programs load (%.0f s)", t.Seconds)
}

// report writes the machines' results and returns how many cells are worse than expected.
func report(w io.Writer, machines []*machine) (worse int) {
	fmt.Fprint(w, `# Debian's kernels, devices and transports

Each kernel runs in a virtual machine. A server in its default configuration runs in one network namespace, and busybox's tftp fetches
files in another, over two veth wires: a file of 71 blocks over IPv4 and over IPv6, and a rendered one. Then eight modems fetch the first
file at once. All octets are compared, and the server's counters show by which path the requests arrived. With transport xdp the
interface is configured; with auto it is not.
`)
	for _, m := range machines {
		fmt.Fprintf(w, "\n## Linux %s (package %s)\n\n| device | %s |\n|---|%s\n", m.kernel.release, m.kernel.version,
			strings.Join(transports, " | "), strings.Repeat("---|", len(transports)))
		var last string
		for _, c := range m.cells {
			if c.worse() {
				worse++
			}
			if c.Transport == pulled {
				continue
			}
			if c.Device != last {
				if last != "" {
					fmt.Fprintln(w)
				}
				fmt.Fprintf(w, "| %s |", c.Device)
				last = c.Device
			}
			fmt.Fprintf(w, " %s |", &c)
		}
		fmt.Fprintln(w)
		fmt.Fprintln(w)
		for _, c := range m.cells {
			if c.Transport == pulled {
				fmt.Fprintf(w, "- %s, a member goes down and up while 50 modems load files: %s\n", c.Device, &c)
			}
		}
		for _, t := range m.tests {
			if t.Failed {
				worse++
			}
			fmt.Fprintf(w, "- %s\n", &t)
		}
	}
	fmt.Fprintln(w)
	return worse
}
