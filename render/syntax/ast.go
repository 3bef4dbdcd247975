// Package syntax parses the template language into a tree in which every node has its position.
package syntax

import (
	"fmt"
	"strings"
	"sync/atomic"
)

// Dialect is the language that a file is written in.
type Dialect uint8

const (
	// DCS is the whole template language, of .dcs files.
	DCS Dialect = iota
	// Docsis is the language of the open docsis encoder, in .cfg, .txt and .conf files: one Main, comments with
	// /* */ or //, no variables, no arithmetic, no includes.
	Docsis
)

// DialectOf returns the dialect of a file by its name: Docsis for .cfg, .txt and .conf in any letter case, DCS for
// everything else, including "-" (standard input).
func DialectOf(name string) Dialect {
	dot := strings.LastIndexByte(name, '.')
	if dot < 0 {
		return DCS
	}
	switch ext := name[dot:]; {
	case strings.EqualFold(ext, ".cfg"), strings.EqualFold(ext, ".txt"), strings.EqualFold(ext, ".conf"):
		return Docsis
	}
	return DCS
}

// Pos is a position in a source file. Line and Col count from 1; Col counts octets (a byte order mark at the start of
// the file is not counted).
type Pos struct {
	File      string
	Line, Col int
}

func (p Pos) String() string { return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Col) }

// File is one source file.
type File struct {
	Name    string
	Dialect Dialect
	Items   []*Item

	// Unread means that the file may contain items that are not in Items: it is not text, it has an unterminated
	// comment, or it is empty, like a file that was being written when the power failed.
	Unread bool

	text string
}

// Is reports whether src is what the file was parsed from, but for a byte order mark.
func (f *File) Is(src []byte) bool { return strings.TrimPrefix(string(src), byteOrderMark) == f.text }

const byteOrderMark = "\ufeff"

// ItemKind is the keyword that an item begins with.
type ItemKind uint8

const (
	Main      ItemKind = iota // a modem's file, or an MTA's when its first TLV is 254
	Modem                     // a modem's file
	Mta                       // an MTA's file
	CableHome                 // a CableHome portal service's file
	Text                      // text with variables, no TLVs
	Binary                    // an existing binary file
	Block                     // an include block
)

var itemNames = [...]string{"Main", "Modem", "Mta", "CableHome", "Text", "Binary", "Block"}

// String returns the keyword.
func (k ItemKind) String() string {
	if int(k) < len(itemNames) {
		return itemNames[k]
	}
	return fmt.Sprintf("ItemKind(%d)", uint8(k))
}

// Item is one entry of a library: a template or an include block.
type Item struct {
	Pos  Pos // of the keyword
	Kind ItemKind

	// Name is the block's name, the literal file name, or the pattern; empty for a bare item. In a pattern, \" is a
	// quote; every other backslash and every $ is kept as written.
	Name        string
	NamePos     Pos  // zero for a bare item
	Pattern     bool // Name follows ~ and is a regular expression (not compiled here)
	Priority    int  // of "priority N", 32 bits; higher is tried first
	HasPriority bool

	From    *String // the file that a Text or Binary item is made from; nil otherwise
	Resign  bool    // a Binary gets new MICs
	HasBody bool    // false only for a Text or Binary without braces
	Body    []Stmt  // of a Text or Binary: no Setting and no Hash; nil if a [Reader] has dropped it
	End     Pos     // of the closing brace; without a body, of the header's last token

	// Broken means that there is an error in the item, or directly after it, where the item may have ended too early.
	// Statements are missing, so what the item would make is unknown.
	Broken bool
	// Lenient means that the file's first line is a comment that begins with dcs:lenient: what the open encoder accepts
	// is accepted, with a warning each.
	Lenient bool
	// Idle is the position of such a comment in another line, where it has no effect; it is that of the file's first item that is no
	// Block.
	Idle Pos
	// Header is the source between the keyword of a Broken item and its body, if there is an error in it. Name, Pattern
	// and Priority are then unknown.
	Header string

	text    string // the item as written; "" if it was not parsed
	dialect Dialect
	read    atomic.Pointer[shed] // the body as parsed last, once a Reader has dropped it
}

// Stmt is a statement in the body of an item, a group or a case.
type Stmt interface {
	Position() Pos
	stmt()
}

type (
	// Setting is "Keyword value…;" or "Keyword { … }". The parser knows no TLVs: any
	// identifier is a keyword, and Values may be empty.
	Setting struct {
		Pos     Pos
		Keyword string
		Values  []Expr
		Group   bool // written with braces; GenericTLV may have Values and a Body
		Body    []Stmt
		End     Pos // of the semicolon or the closing brace
	}

	// Include is "include target;". A Word names a Block; a String names a file or, failing that, a Block, and may
	// contain variables; a Var names either.
	Include struct {
		Pos    Pos
		Target Expr // *Word, *String or *Var
	}

	// Default is "default name value;", the value of $name if nothing else defines it.
	Default struct {
		Pos   Pos
		Name  string
		Value Expr
	}

	// Select is "select subject { label, label { … } default { … } }".
	Select struct {
		Pos     Pos
		Subject Expr    // no List
		Cases   []*Case // no two with the same label, one default at most
		End     Pos
	}

	// Reject is "reject "reason";": a request that reaches it gets no file.
	Reject struct {
		Pos    Pos
		Reason *String
	}

	// Hash is "hash na|eu|ietf|none;", the variant of an MTA file's hash object. It is in a Main, an Mta or a Block,
	// never in a group.
	Hash struct {
		Pos     Pos
		Variant string
	}
)

// Case is one branch of a Select.
type Case struct {
	Pos     Pos
	Labels  []Expr // *Number, *Hex, *Word, or *String without variables; empty for default
	Default bool
	Body    []Stmt
	End     Pos
}

func (s *Setting) Position() Pos { return s.Pos }
func (s *Include) Position() Pos { return s.Pos }
func (s *Default) Position() Pos { return s.Pos }
func (s *Select) Position() Pos  { return s.Pos }
func (s *Reject) Position() Pos  { return s.Pos }
func (s *Hash) Position() Pos    { return s.Pos }

func (*Setting) stmt() {}
func (*Include) stmt() {}
func (*Default) stmt() {}
func (*Select) stmt()  {}
func (*Reject) stmt()  {}
func (*Hash) stmt()    {}

// Expr is a value as written.
type Expr interface {
	Position() Pos
	expr()
}

type (
	// Number is a decimal integer, multiplied by its suffix (k, M, G). Neg is set for values below zero, down to
	// -1<<63.
	//
	// Among the values of a setting, outside parentheses, a minus sign that follows white space and directly precedes
	// its operand begins a new value: "Integer -1" and "Integer -$a" are two values, "$a - 1" and "$a-1" are one.
	Number struct {
		Pos   Pos // of the minus sign, if there is one
		Value uint64
		Neg   bool
		Text  string // as written
	}

	// Hex is 0x and one or more hexadecimal digits.
	Hex struct {
		Pos  Pos
		Text string // the digits alone
	}

	// Word is any other unquoted value: a label, an OID (with its quoted indices as written), an IPv4, IPv6 or MAC
	// address, an enumeration label.
	Word struct {
		Pos  Pos
		Text string
	}

	// String is a quoted string with its escapes (\" and \\, and $$ in DCS) resolved, split at its variables. No two
	// adjacent parts are literal.
	String struct {
		Pos   Pos
		Parts []Part
	}

	// Var is $name or ${name} or $1; its Name is without the sign and the braces.
	Var struct {
		Pos  Pos
		Name string
	}

	// BinaryOp is "left op right", where op is one of + - * /. No operand of + - * is a plain Word or String. The slash
	// in "10.0.0.1/80" and "mac/mask" makes the same node; its meaning depends on the keyword.
	BinaryOp struct {
		Pos         Pos // of the operator
		Op          byte
		Left, Right Expr
	}

	// Negate is "-x", where x is not a Number unless negative.
	Negate struct {
		Pos Pos
		X   Expr
	}

	// List is "a, b, c": two or more elements, none of them a List.
	List struct {
		Pos   Pos
		Elems []Expr
	}
)

// Part is a piece of a String: a variable if Var is not nil, else Lit.
type Part struct {
	Lit string
	Var *Var
}

// Literal returns the string's text if it contains no variable.
func (e *String) Literal() (text string, ok bool) {
	switch {
	case len(e.Parts) == 0:
		return "", true
	case len(e.Parts) == 1 && e.Parts[0].Var == nil:
		return e.Parts[0].Lit, true
	}
	return "", false
}

func (e *Number) Position() Pos   { return e.Pos }
func (e *Hex) Position() Pos      { return e.Pos }
func (e *Word) Position() Pos     { return e.Pos }
func (e *String) Position() Pos   { return e.Pos }
func (e *Var) Position() Pos      { return e.Pos }
func (e *BinaryOp) Position() Pos { return e.Pos }
func (e *Negate) Position() Pos   { return e.Pos }
func (e *List) Position() Pos     { return e.Pos }

func (*Number) expr()   {}
func (*Hex) expr()      {}
func (*Word) expr()     {}
func (*String) expr()   {}
func (*Var) expr()      {}
func (*BinaryOp) expr() {}
func (*Negate) expr()   {}
func (*List) expr()     {}
