package tftp

// A Request is a read or write request. Name aliases the packet.
type Request struct {
	Options
	Name     []byte // as sent, without the NUL; case-sensitive
	NetASCII bool   // mode netascii, else octet
	Bad      Set    // known options with an invalid value; they count as not sent (RFC 2347)
	Unknown  int    // number of unknown options
}

// ParseRequest parses an RRQ or WRQ into r, as leniently as the servers that clients were written for. The last valid
// value of a repeated option counts. Anything that is not an option, such as a name without a value or padding, ends
// the options. The mode may lack its NUL, and may be binary, the old name of octet (RFC 1350, section 1).
//
// The error is ErrShort, ErrOpcode, ErrLong, one of those for names and modes, or ErrProxyOption; r is undefined then.
func ParseRequest(b []byte, r *Request) error {
	*r = Request{}
	if len(b) < 2 {
		return ErrShort
	}
	if op := Opcode(b); op != OpRRQ && op != OpWRQ {
		return ErrOpcode
	}
	if len(b) > maxRequest {
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

// parseOptions parses the options of a request.
//
// It is strict where a CMTS vouches for its modem by hwaddr and netaddr. The modem may have sent the same options
// itself, or something that makes the CMTS's options look like the value of another option or like padding. Such a
// request is refused.
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

// vouches reports whether b may contain an option of a proxy.
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

// AppendRequest appends an RRQ with the options of o.
func AppendRequest(dst []byte, name, mode string, o *Options) []byte {
	dst = append(dst, 0, OpRRQ)
	dst = append(dst, name...)
	dst = append(dst, 0)
	dst = append(dst, mode...)
	dst = append(dst, 0)
	return appendOptions(dst, o)
}
