package ldapdir

import (
	"errors"
	"testing"

	"github.com/go-ldap/ldap/v3"

	"dcs/render/attr"
	"dcs/render/device"
)

func TestZeroMACIsRejected(t *testing.T) {
	s := &source{cfg: Config{MACAttr: "macAddress", IPAttr: "ipHostNumber"}}
	e := ldap.NewEntry("cn=zero", map[string][]string{"macAddress": {"00:00:00:00:00:00"}, "ipHostNumber": {"10.1.2.3"}})
	if err := s.device(e, new(attr.Device), several{}); !errors.Is(err, device.ErrZeroMAC) {
		t.Errorf("%v, want %v", err, device.ErrZeroMAC)
	}
}
