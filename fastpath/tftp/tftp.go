// Package tftp parses and appends TFTP packets: RFC 1350 with the options of RFC 2347, 2348, 2349 and 7440.
package tftp

import (
	"encoding/binary"
	"errors"
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

// String returns the meaning of the code.
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
	// maxRequest is the longest RRQ that is accepted. RFC 2347 says 512 octets; twice as many are accepted, as a proxy
	// adds options to a request that may already be full.
	maxRequest = 1024
	// MaxName is the longest file name, octets.
	MaxName = 512
)

// Errors of the parsers, returned unwrapped.
var (
	ErrShort              = errors.New("tftp: truncated header")
	ErrOpcode             = errors.New("tftp: unexpected opcode")
	ErrLong               = errors.New("tftp: request longer than 1024 octets")
	ErrNameEmpty          = errors.New("tftp: empty file name")
	ErrNameLong           = errors.New("tftp: file name longer than 512 octets")
	ErrNameUnterminated   = errors.New("tftp: unterminated file name")
	ErrMode               = errors.New("tftp: mode neither octet nor netascii")
	ErrProxyOption        = errors.New("tftp: ambiguous hwaddr or netaddr option")
	ErrOptionUnterminated = errors.New("tftp: unterminated option name")
	ErrOptionEmpty        = errors.New("tftp: empty option name")
	ErrOptionValue        = errors.New("tftp: invalid or unterminated option value")
	ErrOptionTwice        = errors.New("tftp: duplicate option")
	ErrTextUnterminated   = errors.New("tftp: unterminated error text")
)

// Opcode returns the packet's opcode, or 0, which is not assigned, if the packet is too short.
func Opcode(b []byte) uint16 {
	if len(b) < 2 {
		return 0
	}
	return binary.BigEndian.Uint16(b)
}

// cut splits b after its first NUL.
func cut(b []byte) (head, rest []byte, ok bool) {
	for i, c := range b {
		if c == 0 {
			return b[:i], b[i+1:], true
		}
	}
	return nil, nil, false
}

// equalFold compares b with s, which is in lower case, ignoring ASCII case.
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

// ParseACK parses the block number of an ACK. Trailing octets are ignored.
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

// ParseDATA parses a DATA packet. body aliases b.
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

// ParseERROR parses an ERROR packet. text aliases b. With ErrTextUnterminated, code and text are valid: many senders
// omit the NUL.
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

// AppendDATA appends a DATA packet.
func AppendDATA(dst []byte, block uint16, body []byte) []byte {
	return append(append(dst, 0, OpDATA, byte(block>>8), byte(block)), body...)
}

// AppendACK appends an ACK.
func AppendACK(dst []byte, block uint16) []byte {
	return append(dst, 0, OpACK, byte(block>>8), byte(block))
}

// AppendERROR appends an ERROR packet. text must not contain a NUL.
func AppendERROR(dst []byte, code Code, text string) []byte {
	dst = append(dst, 0, OpERROR, byte(code>>8), byte(code))
	return append(append(dst, text...), 0)
}
