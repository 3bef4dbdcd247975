package transfer

// A textPos is a position in a body that is sent as netascii (RFC 764): a line feed is sent as CR LF, a carriage return
// as CR NUL. Half is set between the two octets.
type textPos struct {
	off  int
	half bool
}

// next appends the next n octets of body to dst; fewer at its end.
func (p *textPos) next(dst []byte, n int, body []byte) []byte {
	for ; n > 0 && p.off < len(body); n-- {
		c := body[p.off]
		switch {
		case p.half:
			if c == '\r' {
				c = 0
			}
			p.half = false
			p.off++
		case c == '\n' || c == '\r':
			c = '\r'
			p.half = true
		default:
			p.off++
		}
		dst = append(dst, c)
	}
	return dst
}
