package tftp

import (
	"errors"
	"math"
	"net/netip"
	"strconv"
)

// A Set is a set of known options.
type Set uint8

// Known options.
const (
	Blksize    Set = 1 << iota // RFC 2348
	Timeout                    // RFC 2349
	Tsize                      // RFC 2349
	Windowsize                 // RFC 7440
	HWAddr                     // hwaddr and netaddr, added by a CMTS that proxies TFTP (DOCS-SEC-MIB, docsSecCmtsServerCfgTftpOptions)
	NetAddr
)

// optionNames holds the names in lower case, in the order of the bits of Set.
var optionNames = [...]string{"blksize", "timeout", "tsize", "windowsize", "hwaddr", "netaddr"}

// Options are the values of a request's or an OACK's options.
type Options struct {
	Has        Set   // options with a valid value
	Blksize    int   // octets, 8 to 65464; a larger request is read as 65464, which is a valid answer to it
	Timeout    int   // seconds, 1 to 255
	Tsize      int64 // octets
	Windowsize int   // blocks, 1 to 65535
	HWAddr     [6]byte
	NetAddr    netip.Addr
}

// ParseOACK parses the options of an OACK into o. Unknown options and invalid values are errors: a server may only
// answer options that were requested (RFC 2347).
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

// errPadding ends the options: zeros up to the end are padding, which some boot ROMs send.
var errPadding = errors.New("tftp: padding")

// nextOption parses the option at the beginning of b. Its errors are errPadding, ErrOptionEmpty, ErrOptionUnterminated
// and ErrOptionValue.
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

// number parses a decimal number. One that does not fit is read as the largest that does.
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
