package skeleton

// Slot describes a place in a file that each request fills.
type Slot struct {
	Offset int    // octets from the beginning of the file, with all slots of varying width empty
	Width  int    // octets; 0: it varies
	What   string // the setting as written
	Pos    string // file:line:col of the setting
}

// Slots lists the skeleton's slots, by offset.
func (s *Skeleton) Slots() []Slot {
	out := make([]Slot, len(s.slots))
	for i := range s.slots {
		sl := &s.slots[i]
		out[i] = Slot{Offset: sl.off, Width: sl.width, What: sl.site.what, Pos: sl.site.pos.String()}
	}
	return out
}
