// Package tftp reads and writes TFTP packets: RFC 1350 with the options of RFC 2347, 2348, 2349 and 7440.
package tftp

import (
	"encoding/binary"
	"errors"
	"math"
	"net/netip"
	"strconv"
)

// Opcodes (RFC 1350, section 5; RFC 2347 for OACK).
const (
	OpRRQ   = 1
	OpWRQ   = 2
	OpDATA  = 3
	OpACK   = 4
	OpERROR = 5
	OpOACK  = 6
)

// A Code is the code of an ERROR packet (RFC 1350, appendix I; RFC 2347 for 8).
type Code uint16

// Error codes.
const (
	CodeUndefined  Code = 0
	CodeNotFound   Code = 1
	CodeAccess     Code = 2
	CodeDiskFull   Code = 3
	CodeIllegal    Code = 4
	CodeUnknownTID Code = 5
	CodeExists     Code = 6
	CodeNoUser     Code = 7
	CodeOption     Code = 8
)

var codeNames = [...]string{
	"undefined", "file not found", "access violation", "disk full", "illegal operation", "unknown transfer", "file exists", "no such user", "option refused",
}

// String returns what the code means, in words.
func (c Code) String() string {
	if int(c) < len(codeNames) {
		return codeNames[c]
	}
	return "unknown code"
}

// Limits.
const (
	// DefaultBlksize is the block size without the blksize option (RFC 1350).
	DefaultBlksize = 512
	// MinBlksize and MaxBlksize bound the blksize option (RFC 2348).
	MinBlksize = 8
	MaxBlksize = 65464
	// DataHeader is the length of a DATA packet's header.
	DataHeader = 4
	// MaxRequest is the longest RRQ that is read. RFC 2347 says 512 octets; twice as many are
	// taken, as a proxy adds options to a request that may be full already.
	MaxRequest = 1024
	// MaxName is the longest file name.
	MaxName = 512
)

// What may be wrong with a packet. Parsers return these as they are.
var (
	ErrShort              = errors.New("tftp: packet ends inside its header")
	ErrOpcode             = errors.New("tftp: not the opcode that was expected")
	ErrLong               = errors.New("tftp: request is longer than 1024 octets")
	ErrNameEmpty          = errors.New("tftp: file name is empty")
	ErrNameLong           = errors.New("tftp: file name is longer than 512 octets")
	ErrNameUnterminated   = errors.New("tftp: file name is not terminated")
	ErrMode               = errors.New("tftp: mode is neither octet nor netascii")
	ErrProxyOption        = errors.New("tftp: options hwaddr and netaddr are ambiguous")
	ErrOptionUnterminated = errors.New("tftp: option name is not terminated")
	ErrOptionEmpty        = errors.New("tftp: option name is empty")
	ErrOptionValue        = errors.New("tftp: option has no terminated value")
	ErrOptionTwice        = errors.New("tftp: option is given twice")
	ErrTextUnterminated   = errors.New("tftp: error text is not terminated")
)

// A Set is a set of the options that we know.
type Set uint8

// The options.
const (
	Blksize    Set = 1 << iota // RFC 2348
	Timeout                    // RFC 2349
	Tsize                      // RFC 2349
	Windowsize                 // RFC 7440
	HWAddr                     // hwaddr and netaddr: added by a CMTS that proxies TFTP (DOCS-SEC-MIB, docsSecCmtsServerCfgTftpOptions)
	NetAddr
)

// optionNames holds the names in lower case, in the order of the Set's bits.
var optionNames = [...]string{"blksize", "timeout", "tsize", "windowsize", "hwaddr", "netaddr"}

// Options are the values of a request's or an OACK's options.
type Options struct {
	Has        Set   // options with a value that is valid
	Blksize    int   // octets, 8 to 65464; a larger one that was asked for is read as 65464, which is a valid answer to it
	Timeout    int   // seconds, 1 to 255
	Tsize      int64 // octets
	Windowsize int   // blocks, 1 to 65535
	HWAddr     [6]byte
	NetAddr    netip.Addr
}

// A Request is a read or write request. Name aliases the packet.
type Request struct {
	Options
	Name     []byte // as sent, without the NUL; case is kept
	NetASCII bool   // mode netascii, else octet
	Bad      Set    // known options without a valid value; they count as not sent (RFC 2347)
	Unknown  int    // options that we do not know
}

// Opcode returns the packet's opcode, or 0 (which none has) where it is too short to have one.
func Opcode(b []byte) uint16 {
	if len(b) < 2 {
		return 0
	}
	return binary.BigEndian.Uint16(b)
}

// ParseRequest reads an RRQ or WRQ into r, as leniently as the servers that clients were written for. Of an option that is given
// several times the last valid value counts. What is no option, such as a name without a value or padding, ends the options. A
// mode may lack its NUL, and may have its old name: binary is octet (RFC 1350, section 1).
//
// Its errors are ErrShort, ErrOpcode, ErrLong, those of names and modes, and ErrProxyOption; r is meaningless then.
func ParseRequest(b []byte, r *Request) error {
	*r = Request{}
	if len(b) < 2 {
		return ErrShort
	}
	if op := Opcode(b); op != OpRRQ && op != OpWRQ {
		return ErrOpcode
	}
	if len(b) > MaxRequest {
		return ErrLong
	}
	name, b, ok := cut(b[2:])
	switch {
	case !ok:
		return ErrNameUnterminated
	case len(name) == 0:
		return ErrNameEmpty
	case len(name) > MaxName:
		return ErrNameLong
	}
	r.Name = name
	mode, options, ok := cut(b)
	if !ok {
		mode = b
	}
	switch {
	case equalFold(mode, "octet"), equalFold(mode, "binary"):
	case equalFold(mode, "netascii"):
		r.NetASCII = true
	default:
		return ErrMode
	}
	if len(options) == 0 {
		return nil
	}
	return r.parseOptions(options)
}

// parseOptions reads the options of a request.
//
// Lenience ends where a CMTS vouches for its modem by hwaddr and netaddr: a modem may have put the same options before, or
// something that makes its CMTS's look like another option's value or like padding. Such a request is refused.
func (r *Request) parseOptions(options []byte) error {
	for b := options; len(b) > 0; {
		name, value, rest, err := nextOption(b)
		if err != nil {
			if err != errPadding && vouches(options) {
				return ErrProxyOption
			}
			return nil
		}
		b = rest
		opt := option(name)
		if opt == 0 {
			if vouches(name) {
				return ErrProxyOption
			}
			r.Unknown++
			continue
		}
		before := r.Options
		switch {
		case !r.set(opt, value):
			if r.Has&opt == 0 {
				r.Bad |= opt
			}
			continue
		case r.Has&opt&HWAddr != 0 && r.HWAddr != before.HWAddr, r.Has&opt&NetAddr != 0 && r.NetAddr != before.NetAddr:
			return ErrProxyOption
		}
		r.Has |= opt
		r.Bad &^= opt
	}
	return nil
}

// vouches reports whether an option of a proxy may stand in b.
func vouches(b []byte) bool {
	for i := range b {
		for _, name := range [...]string{"hwaddr", "netaddr"} {
			if len(b)-i >= len(name) && equalFold(b[i:i+len(name)], name) {
				return true
			}
		}
	}
	return false
}

// ParseOACK reads the options of an OACK into o. Options that are unknown or have a bad value are
// errors here: a server may answer only what it was asked (RFC 2347).
func ParseOACK(b []byte, o *Options) error {
	*o = Options{}
	if len(b) < 2 {
		return ErrShort
	}
	if Opcode(b) != OpOACK {
		return ErrOpcode
	}
	for b = b[2:]; len(b) > 0; {
		name, value, rest, err := nextOption(b)
		if err == errPadding {
			return nil
		}
		if err != nil {
			return err
		}
		b = rest
		opt := option(name)
		switch {
		case o.Has&opt != 0:
			return ErrOptionTwice
		case opt == 0 || !o.set(opt, value):
			return ErrOptionValue
		}
		o.Has |= opt
	}
	return nil
}

// errPadding ends options: zeros to the end are padding, which some boot ROMs send.
var errPadding = errors.New("tftp: padding")

// nextOption reads the option at the beginning of b. Its errors are errPadding, ErrOptionEmpty, ErrOptionUnterminated and
// ErrOptionValue.
func nextOption(b []byte) (name, value, rest []byte, err error) {
	if b[0] == 0 {
		for _, c := range b {
			if c != 0 {
				return nil, nil, nil, ErrOptionEmpty
			}
		}
		return nil, nil, nil, errPadding
	}
	name, rest, ok := cut(b)
	if !ok {
		return nil, nil, nil, ErrOptionUnterminated
	}
	if value, rest, ok = cut(rest); !ok {
		return nil, nil, nil, ErrOptionValue
	}
	return name, value, rest, nil
}

func option(name []byte) Set {
	for i, s := range &optionNames {
		if equalFold(name, s) {
			return 1 << i
		}
	}
	return 0
}

func (o *Options) set(opt Set, v []byte) bool {
	switch opt {
	case Blksize:
		n, ok := number(v)
		if !ok || n < MinBlksize {
			return false
		}
		o.Blksize = int(min(n, MaxBlksize))
	case Timeout:
		n, ok := number(v)
		if !ok || n < 1 || n > 255 {
			return false
		}
		o.Timeout = int(n)
	case Tsize:
		n, ok := number(v)
		if !ok {
			return false
		}
		o.Tsize = n
	case Windowsize:
		n, ok := number(v)
		if !ok || n < 1 || n > 65535 {
			return false
		}
		o.Windowsize = int(n)
	case HWAddr:
		return hwaddr(v, &o.HWAddr)
	case NetAddr:
		return netaddr(v, &o.NetAddr)
	}
	return true
}

// number reads a decimal number. One that does not fit is read as the largest that does.
func number(v []byte) (int64, bool) {
	if len(v) == 0 {
		return 0, false
	}
	var n int64
	for _, c := range v {
		if c < '0' || c > '9' {
			return 0, false
		}
		d := int64(c - '0')
		if n > (math.MaxInt64-d)/10 {
			n = math.MaxInt64
			continue
		}
		n = n*10 + d
	}
	return n, true
}

// hwaddr reads a MAC address in the forms in use: six octets of hex with or without `:`, `-` or `.`
// between them, or without leading zeros between `:` or `-`, as dhcpd's binary-to-ascii writes them; a hardware type of
// 1 (Ethernet) and a comma or colon before them; or the six octets themselves. All zeros are no device's address.
func hwaddr(v []byte, mac *[6]byte) bool {
	var m [6]byte
	switch {
	case len(v) == len(m):
		copy(m[:], v)
	case hexPairs(v, &m), hexGroups(v, &m):
	case len(v) > 2 && v[0] == '1' && (v[1] == ',' || v[1] == ':') && (hexPairs(v[2:], &m) || hexGroups(v[2:], &m)):
	default:
		return false
	}
	if m == [6]byte{} {
		return false
	}
	*mac = m
	return true
}

// hexPairs reads six octets of two digits, with or without separators.
func hexPairs(v []byte, mac *[6]byte) bool {
	var m [6]byte
	digits := 0
	for _, c := range v {
		d, ok := hexDigit(c)
		switch {
		case !ok && (c != ':' && c != '-' && c != '.' || digits&1 != 0), ok && digits == 12:
			return false
		case ok:
			m[digits/2] = m[digits/2]<<4 | d
			digits++
		}
	}
	if digits != 12 {
		return false
	}
	*mac = m
	return true
}

// hexGroups reads six octets of one or two digits between separators that are all the same.
func hexGroups(v []byte, mac *[6]byte) bool {
	var m [6]byte
	group, digits, sep := 0, 0, byte(0)
	for _, c := range v {
		d, ok := hexDigit(c)
		switch {
		case ok && digits < 2:
			m[group] = m[group]<<4 | d
			digits++
		case digits > 0 && group < 5 && (c == ':' || c == '-') && (sep == 0 || c == sep):
			group++
			digits, sep = 0, c
		default:
			return false
		}
	}
	if group != 5 || digits == 0 {
		return false
	}
	*mac = m
	return true
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10, true
	}
	return 0, false
}

// netaddr reads an IP address as text, without zone. netip.ParseAddr would keep the text in its error,
// and with that allocate for every request.
func netaddr(v []byte, a *netip.Addr) bool {
	for _, c := range v {
		if c == ':' {
			return netaddr6(v, a)
		}
	}
	ip, ok := dotted(v)
	if ok {
		*a = netip.AddrFrom4(ip)
	}
	return ok
}

// dotted reads four decimal octets without leading zeros.
func dotted(v []byte) (ip [4]byte, ok bool) {
	field, n, digits := 0, 0, 0
	for _, c := range v {
		switch {
		case '0' <= c && c <= '9':
			n = n*10 + int(c-'0')
			digits++
			if n > 255 || digits > 1 && n < 10 {
				return ip, false
			}
		case c == '.' && digits > 0 && field < 3:
			ip[field] = byte(n)
			field++
			n, digits = 0, 0
		default:
			return ip, false
		}
	}
	if field != 3 || digits == 0 {
		return ip, false
	}
	ip[3] = byte(n)
	return ip, true
}

// netaddr6 reads the text forms of RFC 4291, section 2.2.
func netaddr6(v []byte, a *netip.Addr) bool {
	var ip [16]byte
	n, gap := 0, -1
	if len(v) >= 2 && v[0] == ':' && v[1] == ':' {
		gap = 0
		v = v[2:]
	}
	for len(v) > 0 {
		var group, digits int
		for digits < len(v) {
			d, ok := hexDigit(v[digits])
			if !ok {
				break
			}
			if digits == 4 {
				return false
			}
			group = group<<4 | int(d)
			digits++
		}
		if digits == 0 || n == 16 {
			return false
		}
		if digits < len(v) && v[digits] == '.' {
			last, ok := dotted(v)
			if !ok || n > 12 {
				return false
			}
			n += copy(ip[n:], last[:])
			break
		}
		ip[n], ip[n+1] = byte(group>>8), byte(group)
		n += 2
		if v = v[digits:]; len(v) == 0 {
			break
		}
		if v[0] != ':' || len(v) == 1 {
			return false
		}
		if v = v[1:]; v[0] == ':' {
			if gap >= 0 {
				return false
			}
			gap = n
			v = v[1:]
		}
	}
	switch {
	case gap < 0 && n < 16, gap >= 0 && n == 16:
		return false
	case gap >= 0:
		copy(ip[16-(n-gap):], ip[gap:n])
		clear(ip[gap : 16-(n-gap)])
	}
	*a = netip.AddrFrom16(ip).Unmap()
	return true
}

// cut splits b behind its first NUL.
func cut(b []byte) (head, rest []byte, ok bool) {
	for i, c := range b {
		if c == 0 {
			return b[:i], b[i+1:], true
		}
	}
	return nil, nil, false
}

// equalFold compares b with s, which is in lower case, by ASCII.
func equalFold(b []byte, s string) bool {
	if len(b) != len(s) {
		return false
	}
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if c != s[i] {
			return false
		}
	}
	return true
}

// ParseACK reads the block number of an ACK. Octets behind it are passed over.
func ParseACK(b []byte) (block uint16, err error) {
	if len(b) < 4 {
		return 0, ErrShort
	}
	h := (*[4]byte)(b)
	if h[0] != 0 || h[1] != OpACK {
		return 0, ErrOpcode
	}
	return uint16(h[2])<<8 | uint16(h[3]), nil
}

// ParseDATA reads a DATA packet. body aliases b.
func ParseDATA(b []byte) (block uint16, body []byte, err error) {
	if len(b) < 4 {
		return 0, nil, ErrShort
	}
	h := (*[4]byte)(b)
	if h[0] != 0 || h[1] != OpDATA {
		return 0, nil, ErrOpcode
	}
	return uint16(h[2])<<8 | uint16(h[3]), b[4:], nil
}

// ParseERROR reads an ERROR packet. text aliases b. ErrTextUnterminated comes with code and text,
// as many senders forget the NUL.
func ParseERROR(b []byte) (code Code, text []byte, err error) {
	if len(b) < 4 {
		return 0, nil, ErrShort
	}
	h := (*[4]byte)(b)
	if h[0] != 0 || h[1] != OpERROR {
		return 0, nil, ErrOpcode
	}
	code = Code(h[2])<<8 | Code(h[3])
	text, _, ok := cut(b[4:])
	if !ok {
		return code, b[4:], ErrTextUnterminated
	}
	return code, text, nil
}

// AppendRequest appends an RRQ with the options of o.
func AppendRequest(dst []byte, name, mode string, o *Options) []byte {
	dst = append(dst, 0, OpRRQ)
	dst = append(dst, name...)
	dst = append(dst, 0)
	dst = append(dst, mode...)
	dst = append(dst, 0)
	return appendOptions(dst, o)
}

// AppendOACK appends an OACK with the options of o (RFC 2347).
func AppendOACK(dst []byte, o *Options) []byte {
	return appendOptions(append(dst, 0, OpOACK), o)
}

func appendOptions(dst []byte, o *Options) []byte {
	for i, name := range &optionNames {
		opt := Set(1) << i
		if o.Has&opt == 0 {
			continue
		}
		dst = append(dst, name...)
		dst = append(dst, 0)
		switch opt {
		case Blksize:
			dst = strconv.AppendInt(dst, int64(o.Blksize), 10)
		case Timeout:
			dst = strconv.AppendInt(dst, int64(o.Timeout), 10)
		case Tsize:
			dst = strconv.AppendInt(dst, o.Tsize, 10)
		case Windowsize:
			dst = strconv.AppendInt(dst, int64(o.Windowsize), 10)
		case HWAddr:
			const digits = "0123456789abcdef"
			for i, c := range o.HWAddr {
				if i > 0 {
					dst = append(dst, ':')
				}
				dst = append(dst, digits[c>>4], digits[c&15])
			}
		case NetAddr:
			dst = o.NetAddr.AppendTo(dst)
		}
		dst = append(dst, 0)
	}
	return dst
}

// AppendDATA appends a DATA packet.
func AppendDATA(dst []byte, block uint16, body []byte) []byte {
	return append(append(dst, 0, OpDATA, byte(block>>8), byte(block)), body...)
}

// AppendACK appends an ACK.
func AppendACK(dst []byte, block uint16) []byte {
	return append(dst, 0, OpACK, byte(block>>8), byte(block))
}

// AppendERROR appends an ERROR packet. text must not hold a NUL.
func AppendERROR(dst []byte, code Code, text string) []byte {
	dst = append(dst, 0, OpERROR, byte(code>>8), byte(code))
	return append(append(dst, text...), 0)
}
