package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"time"
)

// answering is the argument with which this program is a source of devices, started by the server: a plug-in as
// cmd/dcs/doc/plugins.md has it.
const answering = "-answer-devices"

// lookup is how long the source takes for one device: as long as a database that answers 2,000 a second.
const lookup = 500 * time.Microsecond

// answerDevices answers for every MAC address of a lab's modems, which begin with 02:00, that it is a device, and for all
// others that they are none, one after the other.
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
			// One of the vendor that the lab's modems are of: they are new, and not the first of their kind.
			fmt.Fprintln(w, `{"mac":"02:00:00:ff:ff:fe","attrs":{"cpes":1}}`)
			fmt.Fprintln(w, `{"end":true,"count":1}`)
		default:
			// A sleep takes longer than it is asked for: a few are slept at once.
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
