package syntax

import (
	"fmt"
	"regexp"
	"strings"
)

const itemList = "Main, Modem, Mta, CableHome, Text, Binary and Block"

func itemKind(word string) (ItemKind, bool) {
	for k, name := range itemNames {
		if len(word) == len(name) && strings.EqualFold(word, name) {
			return ItemKind(k), true
		}
	}
	return 0, false
}

func (p *parser) file(f *File) {
	outside := false // an error outside the items has been reported since the last item
	unwound := false // the next item began within another
	for {
		switch p.tok.kind {
		case tEOF:
			if len(f.Items) == 0 && len(p.errs) == 0 {
				f.Unread = true // a file that has been truncated at its beginning looks like this
				what := "a template is Main { NetworkAccess 1; … }, a block to include is Block name { … }"
				if p.dialect == Docsis {
					what = "it should hold Main { NetworkAccess 1; … }"
				}
				if strings.TrimSpace(p.src) == "" {
					p.errorf("this file is empty: %s", what)
				} else {
					p.errorf("this file holds nothing but comments: %s", what)
				}
			}
			return
		case ';':
			p.advance()
			continue
		case '}':
			switch {
			case p.stray > 0:
				p.stray--
			case !outside:
				p.errorf("unmatched }; delete it, or look for an extra } before it%s", closedAt(f))
				outside = true
				f.blame()
			}
			p.advance()
			continue
		case tWord:
			if k, ok := itemKind(p.text()); ok {
				outside = false
				if !unwound {
					p.stray = 0
				}
				f.Items = append(f.Items, p.parseItem(k, f))
				unwound = p.leave()
				continue
			}
		}
		f.blame()
		misspelled := p.misspelled()
		if !outside {
			outside = true
			switch {
			case p.tok.kind == tWord && (p.peek.kind == '{' || p.peek.kind == '~'):
				p.errorf("unknown item %s: a file holds %s%s", clip(p.text()), p.items(), closedAt(f))
			default:
				p.errorf("%s outside of any item: a file holds %s%s", p.found(), p.items(), closedAt(f))
			}
		}
		if p.tok.kind == '{' {
			p.bareBrace = p.tok.off
		}
		p.item = Main
		p.skipStatement()
		if misspelled != nil {
			f.Items = append(f.Items, misspelled)
		}
		unwound = p.leave()
	}
}

// blame marks the last item as broken: what follows it may have been meant to be in it.
func (f *File) blame() {
	if n := len(f.Items); n > 0 {
		f.Items[n-1].Broken = true
	}
}

// misspelled returns the item that the current token, which is not an item's keyword, may have been meant to begin, if
// a body follows; else nil.
func (p *parser) misspelled() *Item {
	header := p.headerFrom(p.tok.off)
	if !strings.HasPrefix(strings.TrimLeft(p.src[p.tok.off+len(header):], " \t\r\n"), "{") {
		return nil
	}
	it := &Item{Pos: p.here(), End: p.here(), Broken: true}
	it.misread(header)
	return it
}

// headerFrom returns the source from an offset to the next brace, or to the end of the line.
func (p *parser) headerFrom(off int) string {
	text := p.src[off:]
	if n := strings.IndexAny(text, "{\n"); n >= 0 {
		text = text[:n]
	}
	return text
}

// headers matches text that looks like the beginning of an item, or like its pattern.
var headers = regexp.MustCompile(`\b(?:Main|Modem|Mta|CableHome|Text|Binary)\b\s*["~{]|~\s*"`)

// overlooked adds to a file with errors a broken item for each header in its text at which no item begins: an unmatched
// quote or brace may have swallowed the item.
func (p *parser) overlooked(f *File) {
	known := map[Pos]bool{}
	for _, it := range f.Items {
		known[it.Pos] = true
	}
	line, start, seen := 1, 0, 0 // the current line, its offset, and the offset up to which lines are counted
	found := headers.FindAllStringIndex(p.src, maxOverlooked+1)
	f.Unread = f.Unread || len(found) > maxOverlooked
	for _, at := range found {
		for {
			n := strings.IndexByte(p.src[seen:at[0]], '\n')
			if n < 0 {
				break
			}
			line++
			seen += n + 1
			start = seen
		}
		seen = at[0]
		it := &Item{Pos: p.pos(line, at[0]-start+1), Broken: true}
		if !known[it.Pos] {
			it.End = it.Pos
			it.misread(p.headerFrom(at[1] - 1))
			f.Items = append(f.Items, it)
		}
	}
}

// leave prepares the parser for the next item, and reports whether that item has already begun.
func (p *parser) leave() (unwound bool) {
	unwound = p.unwind
	p.unwind, p.depth, p.group = false, 0, 0
	return unwound
}

func (p *parser) items() string {
	if p.dialect == Docsis {
		return "one Main, and everything else between its { and }"
	}
	return itemList + ", and everything else between their { and }"
}

// closedAt says where the last item ended: an extra brace may have closed it too early.
func closedAt(f *File) string {
	if len(f.Items) == 0 {
		return ""
	}
	it := f.Items[len(f.Items)-1]
	return fmt.Sprintf(" (%v ended at %v)", it.Kind, it.End)
}

// startsItem reports whether the current token can only be the beginning of an item.
func (p *parser) startsItem() bool {
	switch p.text() {
	case "Main", "Modem", "Mta", "CableHome":
		return p.peek.kind == '{' || p.peek.kind == '~' || p.peek.kind == tString
	case "Text", "Binary":
		return p.peek.kind == '~' || p.peek.kind == tString && p.dialect == DCS
	case "Block":
		return p.peek.kind == tWord || p.peek.kind == tString
	}
	return false
}
