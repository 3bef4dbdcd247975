package naming

// rewritten applies the rules to a name. It allocates if a rule rewrites it.
func (r *Rules) rewritten(name []byte) ([]byte, Refusal) {
	for _, u := range r.rewrite {
		applies := false
		for pass := 0; ; pass++ {
			if pass == maxPasses {
				return nil, Endless
			}
			found := u.re.FindSubmatchIndex(name)
			if (found != nil) != u.want {
				break
			}
			if applies = true; u.Refuse {
				return nil, Refused
			}
			if !u.Rewrite {
				break
			}
			if name = u.replace(name, found); len(name) > MaxName {
				return nil, TooLong
			}
			if !u.Repeat {
				break
			}
		}
		if applies && u.Last {
			break
		}
	}
	return name, Allowed
}

// replace returns a name with the match replaced that was found or, if the rule repeats, with all matches replaced.
func (u *rule) replace(name []byte, found []int) []byte {
	all := [][]int{found}
	if u.Repeat {
		all = u.re.FindAllSubmatchIndex(name, -1)
	}
	var out []byte
	at := 0
	for _, found := range all {
		out = append(out, name[at:found[0]]...)
		for _, p := range u.to {
			text := []byte(p.text)
			if p.group >= 0 {
				if text = nil; found[2*p.group] >= 0 {
					text = name[found[2*p.group]:found[2*p.group+1]]
				}
			}
			out = p.to.append(out, text)
		}
		if at = found[1]; len(out) > MaxName {
			break
		}
	}
	return append(out, name[at:]...)
}
