package mib

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// Types of the standard modules whose texts are not at hand: facts of RFC 4001, 3419, 5427, 2579 and, for two of one name, RFC
// 4131 and CableLabs' PKTC-MTA-MIB.
func TestTypes(t *testing.T) {
	dir := t.TempDir()
	text := `Z-MIB DEFINITIONS ::= BEGIN
		IMPORTS enterprises FROM SNMPv2-SMI InetAddressDNS FROM INET-ADDRESS-MIB TransportDomain FROM TRANSPORT-ADDRESS-MIB
			SyslogSeverity FROM SYSLOG-TC-MIB TruthValue FROM NOWHERE-MIB X509Certificate FROM DOCS-BPI2-MIB;
		zDNS OBJECT-TYPE SYNTAX InetAddressDNS MAX-ACCESS read-write STATUS current ::= { enterprises 1 }
		zDomain OBJECT-TYPE SYNTAX TransportDomain MAX-ACCESS read-write STATUS current ::= { enterprises 2 }
		zSeverity OBJECT-TYPE SYNTAX SyslogSeverity MAX-ACCESS read-write STATUS current ::= { enterprises 3 }
		zTruth OBJECT-TYPE SYNTAX TruthValue MAX-ACCESS read-write STATUS current ::= { enterprises 4 }
		zCert OBJECT-TYPE SYNTAX X509Certificate MAX-ACCESS read-write STATUS current ::= { enterprises 5 }
		zRate OBJECT-TYPE SYNTAX BitRate MAX-ACCESS read-write STATUS current ::= { enterprises 6 }
		zVersion OBJECT-TYPE SYNTAX DocsisVersion MAX-ACCESS read-write STATUS current ::= { enterprises 7 }
		ZName ::= TEXTUAL-CONVENTION DISPLAY-HINT "16a" STATUS deprecated SYNTAX DisplayString (SIZE (1..16))
		END`
	if err := os.WriteFile(filepath.Join(dir, "z"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	x, err := Load(someOf(t, "SNMPv2-SMI"), []string{dir})
	if err != nil {
		t.Fatal(err)
	}
	if w := x.Warnings(); len(w) != 1 || !strings.Contains(w[0], "zRate: its type BitRate is not the same in DOCS-QOS-MIB and INTEGRATED-SERVICES-MIB; import it from one of them; its values") {
		t.Errorf("warnings %v", w)
	}
	for _, tt := range []struct {
		name   string
		syntax Syntax
		enums  int
		ranges []Range
	}{
		{"zDNS", OctetString, 0, []Range{{1, 255}}},
		{"zDomain", ObjectIdentifier, 0, nil},
		{"zSeverity", Integer32, 8, nil},
		{"zTruth", Integer32, 2, nil},
		{"zCert", OctetString, 0, []Range{{0, 1400}}},
		{"zRate", NoSyntax, 0, nil},
		{"zVersion", Integer32, 0, nil}, // two enumerations
	} {
		ref, err := x.Resolve(tt.name)
		if err != nil {
			t.Fatal(err)
		}
		if o := ref.Object; o.Syntax != tt.syntax || len(o.Enums) != tt.enums || !reflect.DeepEqual(o.Ranges, tt.ranges) {
			t.Errorf("%s: %v, %d enums, %v", tt.name, o.Syntax, len(o.Enums), o.Ranges)
		}
	}
	want := []Type{{Name: "ZName", Module: "Z-MIB", Syntax: OctetString, Ranges: []Range{{1, 16}}, Hint: "16a", Parent: "DisplayString", Status: "deprecated"}}
	if got := x.TypesOf("ZName"); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
