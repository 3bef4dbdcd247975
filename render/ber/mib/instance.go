package mib

import (
	"fmt"

	"dcs/render/ber"
)

// CheckInstance returns an error if an object has no such instance: a scalar's is .0, a column's the values of its index objects
// (RFC 2578, section 7.7). What is not known of an index is not checked.
func (x *Index) CheckInstance(o *Object, instance ber.OID) error {
	switch o.Kind {
	case Scalar:
		switch {
		case len(instance) == 0:
			return fmt.Errorf("%s has no instance: %s.0 is meant", o.Label, o.Label)
		case len(instance) != 1 || instance[0] != 0:
			return fmt.Errorf("%s.%v: the only instance is %s.0", o.Label, instance, o.Label)
		}
		return nil
	case Column:
	case Node:
		return nil
	default:
		return fmt.Errorf("%s is a %v, which has no value", o.Label, o.Kind)
	}
	index, implied, known := x.IndexOf(o)
	if !known {
		return nil
	}
	rest := instance
	for i, of := range index {
		if of == nil || of.Syntax == NoSyntax || of.Syntax == NetworkAddress {
			return nil
		}
		n, err := of.indexArcs(rest, implied && i == len(index)-1)
		if err != nil {
			return fmt.Errorf("%s.%v: %w", o.Label, instance, err)
		}
		rest = rest[n:]
	}
	if len(rest) > 0 {
		return fmt.Errorf("%s.%v: %d too many, the index of %s ends before them", o.Label, instance, len(rest), o.Label)
	}
	return nil
}

// indexArcs returns how many arcs at the start of an instance are a value of the object.
func (o *Object) indexArcs(arcs ber.OID, implied bool) (n int, err error) {
	if len(arcs) == 0 && !(implied && o.Syntax == OctetString && o.inRanges(0)) {
		return 0, fmt.Errorf("the index has no %s", o.Label)
	}
	fixed := 0
	switch o.Syntax {
	case OctetString, Bits, Opaque:
		if o.Syntax == OctetString && len(o.Ranges) == 1 && o.Ranges[0].Min == o.Ranges[0].Max {
			fixed = int(o.Ranges[0].Max)
		}
	case ObjectIdentifier:
	case IPAddress:
		fixed = 4
	default:
		if err := o.CheckValue(int64(arcs[0])); err != nil {
			return 0, err
		}
		return 1, nil
	}
	value := arcs
	switch {
	case fixed > 0:
		if len(arcs) < fixed {
			return 0, fmt.Errorf("%s has %d numbers, it takes %d", o.Label, len(arcs), fixed)
		}
		n, value = fixed, arcs[:fixed]
	case implied:
		n = len(arcs)
	default:
		if uint64(arcs[0]) > uint64(len(arcs)-1) {
			return 0, fmt.Errorf("%s begins with its length, %d, and %d numbers follow", o.Label, arcs[0], len(arcs)-1)
		}
		n = 1 + int(arcs[0])
		value = arcs[1:n]
	}
	if o.Syntax == ObjectIdentifier {
		return n, nil
	}
	for _, arc := range value {
		if arc > 255 {
			return 0, fmt.Errorf("%s: %d is no octet", o.Label, arc)
		}
	}
	return n, o.CheckSize(len(value))
}
