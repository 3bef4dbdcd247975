package console

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"dcs/render/device"
)

func event(name, client, mac, reason string) Event {
	m, _ := device.ParseMAC(mac)
	return Event{Time: start, Name: name, Client: netip.MustParseAddr(client), MAC: m, Reason: reason, Served: reason == "", Text: "why"}
}

func TestSearch(t *testing.T) {
	l := newEvents(4)
	l.add([]Event{
		event("lost.cm", "10.0.0.1", "", "unknown_name"),
		event("gold.cm", "10.1.2.3", "0a:01:02:03:04:05", ""),
		event("home-4.bin", "10.1.2.4", "0a:01:02:03:04:06", "missing_attribute"),
		event("old.cm", "2001:db8::7", "", "unknown_name"),
		event("gold.cm", "10.1.2.3", "0a:01:02:03:04:05", "rejected"),
	}, 3)
	for _, tt := range []struct {
		name string
		q    query
		want string // IDs
		more bool
	}{
		{"all", query{Limit: 10}, "5 4 3 2", false},
		{"the first of them", query{Limit: 2}, "5 4", true},
		{"older ones", query{Limit: 2, Before: 4}, "3 2", false},
		{"name", query{Text: "GOLD", Limit: 10}, "5 2", false},
		{"IP", query{Text: "10.1.2.4", Limit: 10}, "3", false},
		{"IPv6", query{Text: "2001:DB8::7", Limit: 10}, "4", false},
		{"MAC with colons", query{Text: "0a:01:02:03:04:05", Limit: 10}, "5 2", false},
		{"MAC with dashes", query{Text: "0A-01-02-03-04-06", Limit: 10}, "3", false},
		{"MAC as Cisco writes it", query{Text: "0a01.0203.0406", Limit: 10}, "3", false},
		{"MAC without separators", query{Text: "0a0102030405", Limit: 10}, "5 2", false},
		{"part of a MAC", query{Text: "0304:06", Limit: 10}, "3", false},
		{"reason", query{Text: "missing_attribute", Limit: 10}, "3", false},
		{"reason chosen", query{Reason: "rejected", Limit: 10}, "5", false},
		{"failed", query{Which: "failed", Limit: 10}, "5 4 3", false},
		{"served", query{Which: "served", Limit: 10}, "2", false},
		{"two words", query{Text: "gold rejected", Limit: 10}, "5", false},
		{"gone", query{Text: "lost.cm", Limit: 10}, "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := l.search(tt.q)
			var ids []string
			for _, e := range got.Events {
				ids = append(ids, fmt.Sprint(e.ID))
			}
			if strings.Join(ids, " ") != tt.want || got.More != tt.more || got.Kept != 4 || got.Held != 3 {
				t.Errorf("%v, more: %v, kept %d, held %d; want %s", ids, got.More, got.Kept, got.Held, tt.want)
			}
		})
	}
}

// The JSON of addresses: those that are unknown are left out.
func TestJSONOfAddresses(t *testing.T) {
	mac := device.MAC{0x0a, 1, 2, 3, 4, 5}
	for _, tt := range []struct {
		value any
		want  string
	}{
		{event("x", "10.0.0.1", mac.String(), ""), `{"id":0,"time":"2026-01-02T03:04:05Z","name":"x","client":"10.0.0.1","mac":"0a:01:02:03:04:05","served":true,"text":"why"}`},
		{event("x", "2001:db8::1", "", ""), `{"id":0,"time":"2026-01-02T03:04:05Z","name":"x","client":"2001:db8::1","served":true,"text":"why"}`},
		{Explanation{Name: "x", MAC: mac}, `{"name":"x","file":"","mac":"0a:01:02:03:04:05","size":0}`},
		{Explanation{Name: "x"}, `{"name":"x","file":"","size":0}`},
		{Device{MAC: mac, IP: netip.MustParseAddr("10.0.0.1")}, `{"mac":"0a:01:02:03:04:05","ip":"10.0.0.1","known_by":null,"values":null}`},
		{Device{}, `{"known_by":null,"values":null}`},
	} {
		if got, err := json.Marshal(tt.value); string(got) != tt.want || err != nil {
			t.Errorf("%s, %v, want %s", got, err, tt.want)
		}
	}
}
