package localdb

import (
	"net/netip"
	"runtime"
	"runtime/debug"
	"unsafe"

	"dcs/render/attr"
	"dcs/render/device"
)

// Comparison compares devices, in any order, with those of a file, and records which of the file's were added. It takes a bit for
// each row. The file must be verified; what it finds is right if DB.Damaged is nil afterwards.
type Comparison struct {
	db  *DB
	met func(d *attr.Device, same bool) error
	// seen has a bit for each row whose device was met, the same or not.
	seen []uint64

	n       int
	queries [group]attr.Query
	text    []byte       // of the values
	ends    [group][]int // of each value in text
	begins  [group]int   // of each device's values in text
	values  []string     // of one device
	d       attr.Device
}

// Compare returns a Comparison that calls met for each device that is added, a few at a time: same says that the file has it with the
// same address and values. The Device is valid during the call only.
func (db *DB) Compare(met func(d *attr.Device, same bool) error) *Comparison {
	return &Comparison{db: db, met: met, seen: make([]uint64, (db.h.table+db.h.tail+63)/64)}
}

// Add compares a device, with values in the order of Names, now or with those added later: memory is fetched for many at the same
// time, as in LookupBatch. It returns an error of met.
func (c *Comparison) Add(d *attr.Device) error {
	i := c.n
	q := &c.queries[i]
	q.MAC, q.IP = d.MAC, d.IP.Unmap()
	c.begins[i], c.ends[i] = len(c.text), c.ends[i][:0]
	for _, v := range d.Values {
		c.text = append(c.text, v...)
		c.ends[i] = append(c.ends[i], len(c.text))
	}
	if c.n++; c.n == group {
		return c.Flush()
	}
	return nil
}

// Flush compares what was added. It returns an error of met.
func (c *Comparison) Flush() error {
	var same [group]bool
	n := c.n
	c.compare(same[:n])
	defer func() { c.n, c.text = 0, c.text[:0] }()
	for i := range n {
		q := &c.queries[i]
		c.d.MAC, c.d.IP, c.d.Values = q.MAC, q.IP, c.valuesOf(i)
		if err := c.met(&c.d, same[i]); err != nil {
			return err
		}
	}
	return nil
}

// valuesOf returns the values of a device that was added. They are valid until the next Add.
func (c *Comparison) valuesOf(i int) []string {
	c.values = c.values[:0]
	from := c.begins[i]
	for _, end := range c.ends[i] {
		c.values = append(c.values, unsafe.String(unsafe.SliceData(c.text[from:]), end-from))
		from = end
	}
	return c.values
}

// compare finds the rows of the devices that were added, and says which are the same.
func (c *Comparison) compare(same []bool) {
	db := c.db
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer db.recovered()
	queries := c.queries[:c.n]
	var at [group]uint64
	db.locate(queries, at[:c.n])
	db.touchValues(queries, at[:c.n])
	for i := range queries {
		if at[i] == 0 {
			continue
		}
		q := &queries[i]
		if owner, _ := db.owner(at[i]); owner != q.MAC {
			continue // the address is that of a device with a MAC address
		}
		row := (at[i] - db.h.rows.off) / db.h.rowSize
		c.seen[row/64] |= 1 << (row % 64)
		var ok bool
		q.Values, ok = db.fill(at[i], q.Values)
		same[i] = ok && db.hasIP(at[i], q.IP) && equal(q.Values, c.valuesOf(i))
	}
	runtime.KeepAlive(db)
}

// hasIP reports whether the row at off has this IP address, or none if ip is invalid. The device need not be found by it.
func (db *DB) hasIP(off uint64, ip netip.Addr) bool {
	a, ok := db.rowIP(off)
	if !ok || !ip.IsValid() {
		return !ok && !ip.IsValid()
	}
	return a == ip.As16()
}

// equal compares values, of which empty ones at the end may be missing.
func equal(a, b []string) bool {
	for i := range max(len(a), len(b)) {
		if (i < len(a) && a[i] != "") != (i < len(b) && b[i] != "") || i < len(a) && i < len(b) && a[i] != b[i] {
			return false
		}
	}
	return true
}

// Unmet calls yield for each device of the file that was not added, without its values, and stops at the first error, which it
// returns.
func (c *Comparison) Unmet(yield func(d *attr.Device) error) (err error) {
	db := c.db
	defer runtime.KeepAlive(db)
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer db.recovered()
	d := new(attr.Device)
	for i := uint64(0); i < db.h.table+db.h.tail; i++ {
		if c.seen[i/64]>>(i%64)&1 != 0 {
			continue
		}
		at := db.row(i)
		if _, flags := db.hashAndFlags(at); flags&flagUsed == 0 {
			continue
		}
		d.MAC, _ = db.owner(at)
		if d.IP = db.owned(at); d.MAC == (device.MAC{}) && !d.IP.IsValid() {
			continue // another device has its address
		}
		if err := yield(d); err != nil {
			return err
		}
	}
	return nil
}
