package syntax

import "strings"

// value reads an expression or a comma-separated list of them. In a setting, several values may follow one another,
// which affects the meaning of a minus sign.
func (p *parser) value(setting bool) (Expr, bool) {
	x, ok := p.expression(setting)
	if !ok || p.tok.kind != ',' {
		return x, ok
	}
	list := &List{Pos: x.Position(), Elems: []Expr{x}}
	for p.tok.kind == ',' {
		p.advance()
		if p.tok.kind == ';' || p.tok.kind == ',' {
			p.errorf("no value after the comma; add one, or delete the comma")
			return nil, false
		}
		if x, ok = p.expression(setting); !ok {
			return nil, false
		}
		list.Elems = append(list.Elems, x)
	}
	return list, true
}

func (p *parser) expression(setting bool) (Expr, bool) {
	p.operators, p.exprDepth, p.parens = 0, 0, 0
	return p.binary(1, setting)
}

func precedence(k kind) int {
	switch k {
	case '+', '-':
		return 1
	case '*', '/':
		return 2
	}
	return 0
}

// binary reads operators that bind at least as tightly as lowest.
func (p *parser) binary(lowest int, setting bool) (Expr, bool) {
	left, ok := p.unary(setting)
	if !ok {
		return nil, false
	}
	for {
		op := p.tok.kind
		prec := precedence(op)
		if prec < lowest {
			return left, true
		}
		if op == '-' && setting && p.parens == 0 && p.tok.gap && !p.peek.gap {
			return left, true // the minus sign belongs to the next value
		}
		if op != '/' {
			p.onlyDCS("arithmetic", "here write the result")
		}
		at := p.here()
		if p.operators++; p.operators > maxOperators {
			p.errorf("expression has more than %d operators", maxOperators)
			return nil, false
		}
		p.advance()
		right, ok := p.binary(prec+1, setting)
		if !ok {
			return nil, false
		}
		if op != '/' {
			for _, x := range [...]Expr{left, right} {
				if !p.arithmetic(x, byte(op), at) {
					return nil, false
				}
			}
		}
		left = &BinaryOp{Pos: at, Op: byte(op), Left: left, Right: right}
	}
}

// arithmetic reports an operand that cannot be a number.
func (p *parser) arithmetic(x Expr, op byte, at Pos) bool {
	what := ""
	switch x := x.(type) {
	case *Word:
		what = clip(x.Text) + " is a word"
	case *String:
		what = "one of them is a string"
	default:
		return true
	}
	hint := ""
	if op == '-' {
		hint = "; a negative number is written -5, with a space before it only"
	}
	p.errorAt(at.Line, at.Col, "%c takes numbers and variables, and %s: put quotes around text%s", op, what, hint)
	return false
}

func (p *parser) unary(setting bool) (Expr, bool) {
	if p.tok.kind != '-' {
		return p.primary(setting)
	}
	if p.peek.kind == tNumber {
		return p.signed("")
	}
	p.onlyDCS("arithmetic", "here write the result")
	at := p.here()
	if !p.deeper() {
		return nil, false
	}
	p.advance()
	x, ok := p.unary(setting)
	p.exprDepth--
	if !ok || !p.arithmetic(x, '-', at) {
		return nil, false
	}
	if n, isNumber := x.(*Number); isNumber && !n.Neg {
		return p.negative(n, at)
	}
	return &Negate{Pos: at, X: x}, true
}

func (p *parser) deeper() bool {
	if p.exprDepth++; p.exprDepth > maxExprDepth {
		p.errorf("expression nests deeper than %d levels", maxExprDepth)
		return false
	}
	return true
}

func (p *parser) primary(setting bool) (Expr, bool) {
	at, text := p.here(), p.text()
	switch p.tok.kind {
	case tNumber:
		x, ok := p.number()
		p.advance()
		return x, ok
	case tHex:
		digits := text[2:]
		for i := range len(digits) {
			if !isHex(digits[i]) {
				p.errorf("%s is not a hexadecimal number: %q is not a hexadecimal digit", clip(text), digits[i:i+1])
				return nil, false
			}
		}
		if digits == "" {
			p.errorf("no hexadecimal digits after %s", text)
			return nil, false
		}
		p.advance()
		return &Hex{Pos: at, Text: digits}, true
	case tString:
		s, ok := p.str()
		if !ok {
			return nil, false
		}
		return s, true
	case tVar:
		name, _, _ := scanVar(text)
		p.advance()
		return &Var{Pos: at, Name: name}, true
	case tWord:
		if setting && isDigit(text[0]) && !p.unit(text) {
			return nil, false
		}
		p.advance()
		return p.nodes.word(Word{Pos: at, Text: text}), true
	case '(':
		p.onlyDCS("arithmetic", "here write the result")
		if !p.deeper() {
			return nil, false
		}
		p.parens++
		p.advance()
		x, ok := p.binary(1, setting)
		p.parens--
		p.exprDepth--
		if !ok {
			return nil, false
		}
		if p.tok.kind != ')' {
			p.errorf("the ( at %v is not closed; expected ) before %s", at, p.found())
			return nil, false
		}
		p.advance()
		return x, true
	case ')':
		if p.parens > 0 {
			p.errorf("expected a value before this )")
			break
		}
		p.errorf("unmatched ); delete it, or add the missing (")
	case '+':
		p.errorf("numbers have no plus sign; + adds two values")
	case '~':
		p.onlyDCS("a pattern", "delete it")
		p.errorf(`~ is only allowed before the pattern of an item, as in Main ~ "^gold.*$" { … }`)
	default:
		p.errorf("expected a value, got %s", p.found())
	}
	return nil, false
}

// unit refuses words such as 5K, 10mbit and 1.5M, which are meant as numbers.
func (p *parser) unit(text string) bool {
	digits := strings.TrimLeft(text, "0123456789")
	whole := text[:len(text)-len(digits)]
	fraction := ""
	if strings.HasPrefix(digits, ".") {
		digits = strings.TrimLeft(digits[1:], "0123456789")
		fraction = text[len(whole) : len(text)-len(digits)]
	}
	if digits == "" || fraction == "." || strings.IndexByte("kKmMgGtT", digits[0]) < 0 {
		return true
	}
	for i := range len(digits) {
		if !isLetter(digits[i]) {
			return true
		}
	}
	switch {
	case p.dialect == Docsis:
		p.errorf("%s is not a number; write all of its digits", clip(text))
	case fraction != "":
		p.errorf("%s is not a number: numbers are whole; write it with a smaller suffix (k, M and G are powers of ten) or with all of its digits", clip(text))
	default:
		p.errorf("%s is not a number: the suffixes are k, M and G, powers of ten and nothing after them, as in %s%s", clip(text), clip(whole), suffix(digits[0]))
	}
	return false
}

func suffix(c byte) string {
	switch c {
	case 'k', 'K':
		return "k"
	case 'm', 'M':
		return "M"
	}
	return "G"
}

// signed reads a number with or without a minus sign; want is the error for anything else.
func (p *parser) signed(want string) (*Number, bool) {
	at := p.here()
	minus := p.tok.kind == '-'
	if minus && p.peek.kind == tNumber {
		p.advance()
	}
	if p.tok.kind != tNumber {
		p.errorf("%s, not %s", want, p.found())
		return nil, false
	}
	x, ok := p.number()
	if !ok {
		return nil, false
	}
	p.advance()
	if minus {
		return p.negative(x, at)
	}
	return x, true
}

// negative applies a minus sign at pos to x.
func (p *parser) negative(x *Number, at Pos) (*Number, bool) {
	if x.Value > 1<<63 {
		p.errorAt(at.Line, at.Col, "-%s does not fit in 64 bits: the smallest number is -9223372036854775808", x.Text)
		return nil, false
	}
	x.Pos, x.Text, x.Neg = at, "-"+x.Text, x.Value != 0
	return x, true
}

// number evaluates the current token.
func (p *parser) number() (*Number, bool) {
	text := p.text()
	digits, factor := text, uint64(1)
	switch text[len(text)-1] {
	case 'k':
		factor = 1e3
	case 'M':
		factor = 1e6
	case 'G':
		factor = 1e9
	}
	if factor > 1 {
		digits = text[:len(text)-1]
		p.onlyDCS("a number with a suffix", "here write all of its digits")
	}
	const most = 1<<64 - 1
	v := uint64(0)
	for i := range len(digits) {
		d := uint64(digits[i] - '0')
		if v > (most-d)/10 {
			factor = 0
			break
		}
		v = v*10 + d
	}
	if factor == 0 || v > most/factor {
		p.errorf("%s does not fit in 64 bits: numbers go up to 18446744073709551615; longer values are written 0x… or in quotes", clip(text))
		return nil, false
	}
	return p.nodes.number(Number{Pos: p.here(), Value: v * factor, Text: text}), true
}
