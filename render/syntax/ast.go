// Package syntax reads the template language into a tree whose every node knows its place.
package syntax

import (
	"fmt"
	"strings"
)

// Dialect is the language that a file is written in.
type Dialect uint8

const (
	// DCS is the whole template language, of .dcs files.
	DCS Dialect = iota
	// Docsis is the language as the open docsis encoder reads it, of .cfg, .txt and
	// .conf files: one Main, /* */ and // comments, no variables, no arithmetic, no includes.
	Docsis
)

// DialectOf tells the dialect of a file by its name: Docsis for .cfg, .txt and .conf in
// any case, DCS for everything else, "-" (standard input) among it.
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

// Pos is a place in a source file. Line and Col count from 1; Col counts octets (a byte
// order mark at the start of the file is not counted).
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

	// Unread tells that the file may hold items that are not among Items: it is no text, a comment in it has no
	// end, or it is empty, as files are that were being written when the power went.
	Unread bool
}

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

	// Name is the block's name, the literal file name, or the pattern; empty for a bare
	// item. In a pattern \" is a quote, every other backslash and every $ stands as written.
	Name        string
	NamePos     Pos  // zero for a bare item
	Pattern     bool // Name stands after ~ and is a regular expression (not compiled here)
	Priority    int  // of "priority N", 32 bits; higher is asked first
	HasPriority bool

	From    *String // the file that a Text or Binary item is made from; nil otherwise
	Resign  bool    // a Binary's MICs are made anew
	HasBody bool    // false only for a Text or Binary without braces
	Body    []Stmt  // of a Text or Binary: no Setting and no Hash
	End     Pos     // of the closing brace; without a body, of the header's last token

	// Broken tells that an error stands in the item, or right behind it, where it may have ended too soon. What it
	// would make is not known: statements are missing.
	Broken bool
	// Header is what stands between the keyword of a Broken item and its body, as it is written, if it has an error. Name,
	// Pattern and Priority are not known then.
	Header string
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

	// Include is "include target;". A Word names a Block; a String a file or else a
	// Block, and may hold variables; a Var holds either's name.
	Include struct {
		Pos    Pos
		Target Expr // *Word, *String or *Var
	}

	// Default is "default name value;", the value that $name has when nothing else gives one.
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

	// Reject is "reject "reason";": a request that comes here gets no file.
	Reject struct {
		Pos    Pos
		Reason *String
	}

	// Hash is "hash na|eu|ietf|none;", the variant of an MTA file's hash object. It stands
	// in a Main, an Mta or a Block, never in a group.
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

// Expr is a value as it is written.
type Expr interface {
	Position() Pos
	expr()
}

type (
	// Number is a decimal integer, its suffix (k, M, G) already multiplied in. Neg is set
	// for values below zero, to -1<<63.
	//
	// Among the values of a setting, outside of parentheses, a minus sign that follows
	// white space and touches what comes after it begins a new value: "Integer -1" and
	// "Integer -$a" are two values, "$a - 1" and "$a-1" are one.
	Number struct {
		Pos   Pos // of the minus sign, if there is one
		Value uint64
		Neg   bool
		Text  string // as written
	}

	// Hex is 0x and hexadecimal digits, any number of them but none.
	Hex struct {
		Pos  Pos
		Text string // the digits alone
	}

	// Word is whatever else stands unquoted: a label, an OID (with its quoted indices as
	// written), an IPv4, IPv6 or MAC address, an enumeration label.
	Word struct {
		Pos  Pos
		Text string
	}

	// String is a quoted string, its escapes (\" and \\, and $$ in DCS) resolved, split at
	// its variables. No two parts in a row are literal.
	String struct {
		Pos   Pos
		Parts []Part
	}

	// Var is $name or ${name} or $1, its Name without the sign and the braces.
	Var struct {
		Pos  Pos
		Name string
	}

	// BinaryOp is "left op right", op one of + - * /. No operand of + - * is a plain Word or
	// String. The slash of "10.0.0.1/80" and of
	// "mac/mask" is the same node: what it means is the keyword's decision.
	BinaryOp struct {
		Pos         Pos // of the operator
		Op          byte
		Left, Right Expr
	}

	// Negate is "-x", x no Number but a negative one.
	Negate struct {
		Pos Pos
		X   Expr
	}

	// List is "a, b, c": two elements or more, none of them a List.
	List struct {
		Pos   Pos
		Elems []Expr
	}
)

// Part is a piece of a String: a variable where Var is not nil, else Lit.
type Part struct {
	Lit string
	Var *Var
}

// Literal returns the string's text if it holds no variable.
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
