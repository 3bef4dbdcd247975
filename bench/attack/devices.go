package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"time"
)

// answering is the argument that makes this program a source of devices, started by the server: a plug-in as in
// cmd/dcs/doc/plugins.md.
const answering = "-answer-devices"

// lookup is the time per device: that of a database with 2,000 answers a second.
const lookup = 500 * time.Microsecond

// answerDevices answers lookups one after the other: every MAC address that begins with 02:00, as the lab's modems' do,
// is a device; others are not.
func answerDevices(in io.Reader, out io.Writer) error {
	w := bufio.NewWriter(out)
	next := time.Now()
	for lines := bufio.NewScanner(in); lines.Scan(); {
		var q struct {
			Hello, ID int
			List      bool
			MAC       string
		}
		if err := json.Unmarshal(lines.Bytes(), &q); err != nil {
			return err
		}
		switch {
		case q.Hello != 0:
			fmt.Fprintln(w, `{"hello":1,"attributes":["cpes"],"list":true,"ask":true}`)
		case q.List:
			// A new MAC address of the same vendor as the lab's modems.
			fmt.Fprintln(w, `{"mac":"02:00:00:ff:ff:fe","attrs":{"cpes":1}}`)
			fmt.Fprintln(w, `{"end":true,"count":1}`)
		default:
			// Sleeping takes longer than requested: sleep once for several answers.
			if now := time.Now(); next.Before(now) {
				next = now
			}
			if next = next.Add(lookup); time.Until(next) > time.Millisecond {
				time.Sleep(time.Until(next))
			}
			if len(q.MAC) > 5 && q.MAC[:5] == "02:00" {
				fmt.Fprintf(w, `{"id":%d,"attrs":{"cpes":2}}`+"\n", q.ID)
			} else {
				fmt.Fprintf(w, `{"id":%d,"found":false}`+"\n", q.ID)
			}
		}
		if err := w.Flush(); err != nil {
			return err
		}
	}
	return nil
}
