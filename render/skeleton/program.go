package skeleton

import (
	"math"
	"math/bits"
	"net/netip"
	"strconv"
	"unsafe"

	"dcs/render/attr"
	"dcs/render/device"
)

// Values are the inputs of one request, which a skeleton's slots are filled from.
type Values struct {
	Now    int64      // the time of the request, nanoseconds since 1970
	IP     netip.Addr // the modem's address, unmapped
	Server netip.Addr // the address that the request was sent to, unmapped
	MAC    device.MAC // the modem's; zero: unknown
	Attrs  attr.Record

	Name   []byte // the requested name, without a device's suffix
	Groups []int  // where in Name its pattern's groups are, as by regexp.FindSubmatchIndex; nil for a literal name
}

// captured returns what a group matched; group 0 is the whole name.
func (v *Values) captured(group int) []byte {
	if group == 0 {
		return v.Name
	}
	return v.Name[v.Groups[2*group]:v.Groups[2*group+1]]
}

// epoch1900 is the number of seconds from 1900-01-01 to 1970-01-01 (RFC 868).
const epoch1900 = 2208988800

// seconds returns the seconds since 1900-01-01, as in TLV 19, modulo 2³² (RFC 868).
func (v *Values) seconds() uint32 { return uint32(v.Now/1e9 + epoch1900) }

// Text returns the value of a built-in variable or an attribute, formatted as in a string.
func (v *Values) Text(name string, schema *attr.Schema) (string, bool) {
	p := part{}
	switch name {
	case "time":
		p.src = fromTime
	case "ip":
		p.src = fromIP
	case "server":
		p.src = fromServer
	case "mac":
		p.src = fromMAC
	default:
		i, ok := schema.Index(name)
		if !ok {
			return "", false
		}
		p.attr = i
	}
	text, why := appendParts(nil, []part{p}, v)
	return string(text), why == okay
}

// source is where a variable gets its value when a file is rendered.
type source uint8

const (
	fromAttr   source = iota // the device's attribute
	fromTime                 // $time
	fromIP                   // $ip
	fromMAC                  // $mac
	fromServer               // $server
	fromName                 // what a group of the pattern matched; group 0 is $filename
)

// An instr is an instruction of an integer program for a small stack machine (postfix notation).
type instr struct {
	op   opcode
	attr int   // opAttr: index in the schema; opName: number of the group
	skip int   // opAttr: number of instructions, those of the default, to skip if the device has the attribute; 0: no default
	k    int64 // opConst
}

type opcode uint8

const (
	opConst opcode = iota
	opAttr
	opName
	opTime
	opAdd
	opSub
	opMul
	opDiv
	opNeg
)

// maxStack is the stack size of integer programs; the compiler refuses expressions that need more.
const maxStack = 16

// run computes prog. The Reason is okay, or why it failed.
func run(prog []instr, v *Values, sc *Scratch) (int64, Reason) {
	var stack [maxStack]int64
	n := 0
	for pc := 0; pc < len(prog); pc++ {
		in := &prog[pc]
		switch in.op {
		case opConst:
			stack[n&(maxStack-1)] = in.k
			n++
		case opTime:
			stack[n&(maxStack-1)] = int64(v.seconds())
			n++
		case opAttr:
			text, ok := v.Attrs.Get(in.attr)
			if !ok {
				if in.skip == 0 {
					return 0, Missing
				}
				continue
			}
			x, ok := parseInt(text)
			if !ok {
				sc.bad(text)
				return 0, NotInteger
			}
			stack[n&(maxStack-1)] = x
			n++
			pc += in.skip
		case opName:
			digits := v.captured(in.attr)
			x, ok := parseInt(unsafe.String(unsafe.SliceData(digits), len(digits)))
			if !ok {
				return 0, NotInteger
			}
			stack[n&(maxStack-1)] = x
			n++
		case opNeg:
			top := &stack[(n-1)&(maxStack-1)]
			if *top == math.MinInt64 {
				return 0, Overflow
			}
			*top = -*top
		default:
			n--
			top := &stack[(n-1)&(maxStack-1)]
			x, why := arith(in.op, *top, stack[n&(maxStack-1)])
			if why != okay {
				return 0, why
			}
			*top = x
		}
	}
	return stack[0], okay
}

// arith computes a op b in 64 bits. Division truncates towards zero.
func arith(op opcode, a, b int64) (int64, Reason) {
	switch op {
	case opAdd:
		if c := a + b; (c > a) == (b > 0) {
			return c, okay
		}
	case opSub:
		if c := a - b; (c < a) == (b > 0) {
			return c, okay
		}
	case opMul:
		hi, lo := bits.Mul64(abs(a), abs(b))
		neg := (a < 0) != (b < 0)
		switch {
		case hi == 0 && lo <= math.MaxInt64 && !neg:
			return int64(lo), okay
		case hi == 0 && lo <= 1<<63 && neg:
			return -int64(lo), okay
		}
	case opDiv:
		switch {
		case b == 0:
			return 0, DivideByZero
		case a != math.MinInt64 || b != -1:
			return a / b, okay
		}
	}
	return 0, Overflow
}

func abs(x int64) uint64 {
	if x < 0 {
		return -uint64(x)
	}
	return uint64(x)
}

// parseInt parses a signed 64-bit integer, decimal or 0x and hexadecimal digits. It does not allocate.
func parseInt(s string) (int64, bool) {
	neg := len(s) > 1 && s[0] == '-' && s[1]-'0' <= 9
	if neg {
		s = s[1:]
	}
	hex := len(s) > 1 && s[1]|0x20 == 'x'
	x, ok := parseUint(s)
	switch {
	case !ok || neg && hex:
	case neg && x <= 1<<63:
		return -int64(x), true
	case !neg && x <= math.MaxInt64:
		return int64(x), true
	}
	return 0, false
}

// parseUint parses an unsigned 64-bit integer, decimal or 0x and hexadecimal digits.
func parseUint(s string) (x uint64, ok bool) {
	if len(s) > 2 && s[0] == '0' && s[1]|0x20 == 'x' {
		for i := 2; i < len(s); i++ {
			d, ok := hexDigit(s[i])
			if !ok || x>>60 != 0 {
				return 0, false
			}
			x = x<<4 | uint64(d)
		}
		return x, true
	}
	const tenth = math.MaxUint64 / 10
	for i := 0; i < len(s); i++ {
		c := uint64(s[i] - '0')
		if c > 9 || x > tenth || x == tenth && c > math.MaxUint64%10 {
			return 0, false
		}
		x = x*10 + c
	}
	return x, s != ""
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case c-'0' <= 9:
		return c - '0', true
	case c-'a' <= 5:
		return c - 'a' + 10, true
	case c-'A' <= 5:
		return c - 'A' + 10, true
	}
	return 0, false
}

// A part is a piece of a text: a literal if lit is not empty, else a variable.
type part struct {
	lit      string
	src      source
	attr     int    // index in the schema, or number of the group
	fallback []part // replaces an attribute that the device lacks; nil: no default
}

// appendParts appends the text of parts.
func appendParts(dst []byte, parts []part, v *Values) ([]byte, Reason) {
	for i := range parts {
		p := &parts[i]
		if p.lit != "" {
			dst = append(dst, p.lit...)
			continue
		}
		switch p.src {
		case fromTime:
			dst = strconv.AppendUint(dst, uint64(v.seconds()), 10)
		case fromIP, fromServer:
			addr := v.IP
			if p.src == fromServer {
				addr = v.Server
			}
			if !addr.IsValid() {
				return dst, Missing
			}
			dst = addr.AppendTo(dst)
		case fromMAC:
			if v.MAC.IsZero() {
				return dst, NoMAC
			}
			dst = v.MAC.AppendTo(dst)
		case fromName:
			dst = append(dst, v.captured(p.attr)...)
		case fromAttr:
			text, ok := v.Attrs.Get(p.attr)
			switch {
			case ok:
				dst = append(dst, text...)
			case p.fallback == nil:
				return dst, Missing
			default:
				var why Reason
				if dst, why = appendParts(dst, p.fallback, v); why != okay {
					return dst, why
				}
			}
		}
	}
	return dst, okay
}

// parseIPv4 parses an IPv4 address in dotted form. It does not allocate.
func parseIPv4(s []byte) (a [4]byte, ok bool) {
	field, digits, x := 0, 0, 0
	for _, c := range s {
		switch {
		case c-'0' <= 9:
			if x = x*10 + int(c-'0'); x > 255 || digits > 0 && x < 10 {
				return a, false // over 255, or a leading zero, which some parsers read as octal
			}
			digits++
		case c == '.' && digits > 0 && field < 3:
			a[field] = byte(x)
			field++
			digits, x = 0, 0
		default:
			return a, false
		}
	}
	if field != 3 || digits == 0 {
		return a, false
	}
	a[3] = byte(x)
	return a, true
}
