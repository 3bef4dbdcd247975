package skeleton

import (
	"io/fs"

	"dcs/render/syntax"
)

// Reason is the reason why a request gets no file.
type Reason uint8

const (
	okay         Reason = iota
	Missing             // the device lacks the attribute, and there is no default; or the request has no such address
	NotInteger          // the value is not an integer
	Overflow            // the arithmetic leaves 64 bits
	DivideByZero        //
	OutOfRange          // the value is outside its TLV's range
	BadAddress          // the value is not an address of the required kind
	WrongFamily         // an IPv6 address instead of an IPv4 address, or the reverse
	NoMAC               // $mac in a request that names no device
	BadHex              // the value is not 0x and pairs of hexadecimal digits
	BadLength           // the value is shorter or longer than its TLV allows
	BlockTooLong        // the block with the value grows beyond the maximum of its length field
	Rejected            // a reject statement was reached
	NoCase              // no case of a select matches, and it has no default
	Ambiguous           // several templates of one priority match the name
	Invalid             // the template cannot be compiled for this name
	Broken              // the item for the name has an error, which was reported when the library was loaded
	NumReasons
)

var reasonNames = [NumReasons]string{
	"okay", "missing_attribute", "not_integer", "overflow", "divide_by_zero", "out_of_range", "bad_address",
	"wrong_family", "no_mac", "bad_hex", "bad_length", "block_too_long", "rejected", "no_case", "ambiguous", "invalid", "broken",
}

// String returns the reason's name in metrics and logs.
func (r Reason) String() string { return reasonNames[r] }

var reasonTexts = [NumReasons]string{
	Missing:      "the device has no such attribute, and there is no default",
	NotInteger:   "the value is not an integer",
	Overflow:     "the arithmetic does not fit in 64 bits",
	DivideByZero: "division by zero",
	OutOfRange:   "the value is out of range",
	BadAddress:   "the value is not a valid address of this kind",
	WrongFamily:  "the address is of the other family (IPv4 and IPv6)",
	NoMAC:        "the request names no device, so $mac has no value",
	BadHex:       "the value is not 0x followed by pairs of hexadecimal digits",
	BadLength:    "the value's length is out of range",
	BlockTooLong: "the block is longer than its length field can hold",
}

// Fault is the error of a skeleton, or a template, that makes no file. The faults of a slot are made once, so that
// reporting them does not allocate; the text is made on demand.
type Fault struct {
	Reason Reason
	Pos    syntax.Pos
	What   string // the keyword and its value as written
	Text   string // replaces the reason's own text; empty: that is used
}

// Error returns "file:line:col: what: why".
func (f *Fault) Error() string { return f.Pos.String() + ": " + f.why() }

// why returns the part of Error after the position.
func (f *Fault) why() string {
	text := f.Text
	if text == "" {
		text = reasonTexts[f.Reason]
	}
	if f.What == "" {
		return text
	}
	return f.What + ": " + text
}

// Is makes a missing attribute or device, a reject, and a select without a matching case equivalent to
// [fs.ErrNotExist], TFTP error 1.
func (f *Fault) Is(target error) bool {
	return target == fs.ErrNotExist && (f.Reason == Missing || f.Reason == NoMAC || f.Reason == Rejected || f.Reason == NoCase)
}
