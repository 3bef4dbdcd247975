package cmts

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gosnmp/gosnmp"
)

// Values of RowStatus (RFC 2579).
const (
	rowActive       = 1
	rowNotInService = 2
	rowNotReady     = 3
	rowCreateAndGo  = 4
	rowDestroy      = 6
)

// dcxMACSharedSecretEntry of ARRIS-C3-MAC-MIB; its columns are 2, the text, and 3, RowStatus.
const c3Entry = ".1.3.6.1.4.1.4115.1.4.3.6.1.7.1."

const (
	c3Text   = 2
	c3Status = 3
)

// Errors of the table.
var (
	errNotWritable  = errors.New("not-writable")
	errInconsistent = errors.New("inconsistent-value")
	errWrongValue   = errors.New("wrong-value")
)

// column splits an OID of the table.
func (c *CMTS) column(oid string) (column int, at slot, ok bool) {
	rest, ok := strings.CutPrefix("."+strings.TrimPrefix(oid, "."), c3Entry)
	arcs := strings.Split(rest, ".")
	if !ok || len(arcs) != 3 {
		return 0, slot{}, false
	}
	column, err := strconv.Atoi(arcs[0])
	row, err2 := strconv.Atoi(arcs[2])
	if err != nil || err2 != nil || column != c3Text && column != c3Status || row < 1 || row > 16 || !slices.Contains(c.cfg.Interfaces, arcs[1]) {
		return 0, slot{}, false
	}
	return column, slot{arcs[1], row}, true
}

// read returns a cell. The text of a secret reads as empty.
func (c *CMTS) read(oid string) (text string, status int, ok bool) {
	column, at, ok := c.column(oid)
	if !ok {
		return "", 0, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	status = c.rows[at]
	if status == 0 {
		return "", 0, false
	}
	if column == c3Text {
		return "", 0, true
	}
	return "", status, true
}

// next returns the OID of the cell after oid, in lexicographic order.
func (c *CMTS) next(oid string) (string, bool) {
	c.mu.Lock()
	rows := make([]string, 0, 2*len(c.rows))
	for at := range c.rows {
		for _, column := range []int{c3Text, c3Status} {
			rows = append(rows, fmt.Sprintf("%s%d.%s.%d", c3Entry, column, at.iface, at.index))
		}
	}
	c.mu.Unlock()
	slices.SortFunc(rows, func(a, b string) int { return slices.Compare(arcs(a), arcs(b)) })
	for _, r := range rows {
		if slices.Compare(arcs(r), arcs(oid)) > 0 {
			return r, true
		}
	}
	return "", false
}

func arcs(oid string) []uint64 {
	var all []uint64
	for a := range strings.SplitSeq(strings.Trim(oid, "."), ".") {
		n, _ := strconv.ParseUint(a, 10, 32)
		all = append(all, n)
	}
	return all
}

// write sets a cell. A row may get its text before its status, as both come in one PDU.
func (c *CMTS) write(oid, text string, number int) error {
	f := c.faults.Load()
	if f.ReadOnly {
		return errNotWritable
	}
	column, at, ok := c.column(oid)
	if !ok {
		return errNotWritable
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	defer c.version.Add(1)
	if column == c3Text {
		if c.rows[at] == rowActive && c.cfg.NotInPlace {
			return errInconsistent
		}
		c.slots[at] = text
		if c.rows[at] == 0 {
			c.rows[at] = rowNotReady
		}
		return nil
	}
	switch number {
	case rowCreateAndGo:
		if c.rows[at] != 0 && c.rows[at] != rowNotReady || c.slots[at] == "" {
			return errInconsistent
		}
		c.rows[at] = rowActive
	case rowActive:
		if c.rows[at] == 0 {
			return errInconsistent
		}
		c.rows[at] = rowActive
	case rowNotInService:
		if c.rows[at] == 0 {
			return errInconsistent
		}
		c.rows[at] = rowNotInService
	case rowDestroy:
		delete(c.rows, at)
		delete(c.slots, at)
	default:
		return errWrongValue
	}
	return nil
}

// Agent answers SNMP version 2c for one CMTS.
type Agent struct {
	Addr string

	conn net.PacketConn
	done chan struct{}
}

// ServeSNMP answers GET, GETNEXT and SET of version 2c on addr. It is small enough to run hundreds; [Snmpd] is a complete
// agent.
func (c *CMTS) ServeSNMP(addr, community string) (*Agent, error) {
	conn, err := net.ListenPacket("udp", addr)
	if err != nil {
		return nil, err
	}
	a := &Agent{Addr: conn.LocalAddr().String(), conn: conn, done: make(chan struct{})}
	go func() {
		defer close(a.done)
		var count atomic.Uint64
		buf := make([]byte, 64<<10)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			f := c.faults.Load()
			if f.Slow > 0 {
				time.Sleep(f.Slow)
			}
			if f.Silent {
				continue
			}
			if f.Garbage {
				_, _ = conn.WriteTo([]byte("\x30\x82\xff\xff\x02\x01\x01garbage"), from)
				continue
			}
			if f.Flood {
				for range 1000 {
					_, _ = conn.WriteTo([]byte("\x30\x03\x02\x01\x01"), from)
				}
				continue
			}
			answer := c.answer(buf[:n], community)
			if answer == nil || f.LoseAnswer && count.Add(1)%2 == 1 {
				continue
			}
			_, _ = conn.WriteTo(answer, from)
		}
	}()
	return a, nil
}

// Close stops the agent.
func (a *Agent) Close() error {
	err := a.conn.Close()
	<-a.done
	return err
}

func (c *CMTS) answer(request []byte, community string) (answer []byte) {
	defer func() {
		if recover() != nil { // the decoder is meant for answers of well-behaved agents
			answer = nil
		}
	}()
	g := &gosnmp.GoSNMP{Version: gosnmp.Version2c, Community: community}
	p, err := g.SnmpDecodePacket(request)
	if err != nil || p.Version != gosnmp.Version2c || p.Community != community {
		return nil
	}
	asked := p.PDUType
	p.PDUType, p.Error, p.ErrorIndex = gosnmp.GetResponse, gosnmp.NoError, 0
	if asked == gosnmp.SetRequest && c.faults.Load().TooBig {
		p.Error, p.Variables = gosnmp.TooBig, nil
	}
	for i := range p.Variables {
		v := &p.Variables[i]
		switch asked {
		case gosnmp.SetRequest:
			text, _ := v.Value.([]byte)
			number, _ := v.Value.(int)
			err := c.write(v.Name, string(text), number)
			if err != nil {
				p.Error, p.ErrorIndex = snmpError(err), uint8(min(i+1, 255))
			}
		case gosnmp.GetRequest:
			c.fill(v)
		case gosnmp.GetNextRequest:
			if next, ok := c.next(v.Name); ok {
				v.Name = next
				c.fill(v)
			} else {
				v.Type, v.Value = gosnmp.EndOfMibView, nil
			}
		default:
			return nil
		}
		if p.Error != gosnmp.NoError {
			break
		}
	}
	answer, err = p.MarshalMsg()
	if err != nil {
		return nil
	}
	return answer
}

func (c *CMTS) fill(v *gosnmp.SnmpPDU) {
	text, status, ok := c.read(v.Name)
	switch {
	case !ok:
		v.Type, v.Value = gosnmp.NoSuchInstance, nil
	case status != 0:
		v.Type, v.Value = gosnmp.Integer, status
	default:
		v.Type, v.Value = gosnmp.OctetString, []byte(text)
	}
}

func snmpError(err error) gosnmp.SNMPError {
	switch {
	case errors.Is(err, errInconsistent):
		return gosnmp.InconsistentValue
	case errors.Is(err, errWrongValue):
		return gosnmp.WrongValue
	}
	return gosnmp.NotWritable
}
