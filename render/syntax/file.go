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
	outside := false // something outside of the items was reported since the last of them
	unwound := false // the next item began inside of another
	for {
		switch p.tok.kind {
		case tEOF:
			if len(f.Items) == 0 && len(p.errs) == 0 {
				f.Unread = true // a file that was cut at its beginning looks so
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

// blame marks the last item as broken: what stands behind it may have been meant to stand in it.
func (f *File) blame() {
	if n := len(f.Items); n > 0 {
		f.Items[n-1].Broken = true
	}
}

// misspelled returns the item that the current token, no item's keyword, may have been meant to begin, if a body follows;
// else nil.
func (p *parser) misspelled() *Item {
	header := p.headerFrom(p.tok.off)
	if !strings.HasPrefix(strings.TrimLeft(p.src[p.tok.off+len(header):], " \t\r\n"), "{") {
		return nil
	}
	it := &Item{Pos: p.here(), End: p.here(), Broken: true}
	it.misread(header)
	return it
}

// headerFrom returns what stands from an offset to the next brace, or to the end of the line.
func (p *parser) headerFrom(off int) string {
	text := p.src[off:]
	if n := strings.IndexAny(text, "{\n"); n >= 0 {
		text = text[:n]
	}
	return text
}

// headers finds what looks like the beginning of an item, or like its pattern.
var headers = regexp.MustCompile(`\b(?:Main|Modem|Mta|CableHome|Text|Binary)\b\s*["~{]|~\s*"`)

// overlooked adds to a file with errors a broken item for each header in its text that no item begins with: a quote that
// has no other, or a brace, may have swallowed it.
func (p *parser) overlooked(f *File) {
	known := map[Pos]bool{}
	for _, it := range f.Items {
		known[it.Pos] = true
	}
	line, start, seen := 1, 0, 0 // of the line, and up to where its end was looked for
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

// leave makes the parser ready for the next item, and tells whether this item already began.
func (p *parser) leave() (unwound bool) {
	unwound = p.unwind
	p.unwind, p.depth, p.group = false, 0, 0
	return unwound
}

func (p *parser) items() string {
	if p.dialect == Docsis {
		return "one Main, and everything else stands between its { and }"
	}
	return itemList + ", and everything else stands between their { and }"
}

// closedAt says where the last item ended: a brace too many closed it too early, perhaps.
func closedAt(f *File) string {
	if len(f.Items) == 0 {
		return ""
	}
	it := f.Items[len(f.Items)-1]
	return fmt.Sprintf(" (%v ended at %v)", it.Kind, it.End)
}

// startsItem tells whether the current token begins an item, as nothing else does.
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
