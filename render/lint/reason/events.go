package reason

// happening is a word for the events from one id to another.
type happening struct {
	Word
	from, to int
}

// ids returns the ids of the events of a letter from one number to another, all sub-numbers included.
func ids(letter byte, from, to int) (first, last int) {
	return EventID(letter, from, 0), EventID(letter, to, 99)
}

func on(letter byte, from, to int, w Word) happening {
	a, b := ids(letter, from, to)
	return happening{w, a, b}
}

// at returns a row for one event of a modem's registration.
func at(number, sub int, w Word) happening {
	id := EventID('I', number, sub)
	return happening{w, id, id}
}

var (
	serviceRefused = "service not available"
	registration   = []cause{rf, reqSize, {text: "the CMTS discards the registration without a word", remedy: "look at the CMTS's log"}}
)

// events are the events of modems and CMTSes. The first row that has an id counts.
var events = []happening{
	on('D', 1, 3, Word{Meaning: "DHCP: no offer, no answer, or an option that is missing or invalid", Recalled: true, causes: []cause{noDHCP, dhcpParts}}),
	on('D', 4, 4, Word{Meaning: "time of day: no answer, or in a bad format", Recalled: true, causes: []cause{noTime}}),
	on('D', 5, 5, Word{Meaning: "TFTP: no answer", causes: []cause{noFile, silent, {text: "the modem asks another server, or does not reach this one", remedy: "check next-server in DHCP, routes and firewalls"}, otherName, blocked}}),
	on('D', 6, 6, Word{Meaning: "TFTP: file not found", Recalled: true, causes: []cause{noFile, otherName, {text: "the device is unknown", remedy: "add it to a source of devices", facts: []Fact{UnknownDevice}}}}),
	on('D', 7, 7, Word{Meaning: "TFTP: blocks out of order", Recalled: true, causes: []cause{twoServer, {text: "a broken client", remedy: "update the modem"}}}),
	on('D', 8, 8, Word{Meaning: "the file is complete, and its CM MIC is wrong", causes: []cause{
		ownMIC, structure, tooLarge, altered, {text: "the modem truncates the file", remedy: "compare its length with other files of the modem"},
	}}),
	on('D', 9, 9, Word{Meaning: "a mandatory TLV is missing; older modems say so of a file that does not fit their memory", Recalled: true, causes: []cause{modemRefuses, noFlow, tooLarge}}),
	on('D', 10, 10, Word{Meaning: "the file is too big; older modems say so of a length that they have corrected", Recalled: true, causes: []cause{tooLarge, structure}}),
	on('D', 11, 18, Word{Meaning: "IPv6 or DHCPv6: duplicate address, no answer, failed renewal", Recalled: true, causes: []cause{noDHCP, {text: "the CMTS asks for another mode of addresses (MDD)", remedy: "not the file: compare the CMTS's IP mode", recalled: true}}}),

	on('I', 1, 3, Word{Meaning: "registration response: malformed, not received, or with a bad SID", causes: registration}),
	at(4, 1, Word{Meaning: serviceRefused + ": unrecognized setting", causes: causesOf(2)}),
	at(4, 2, Word{Meaning: serviceRefused + ": temporarily", causes: causesOf(3)}),
	at(4, 3, Word{Meaning: serviceRefused + ": permanently", causes: causesOf(4)}),
	on('I', 4, 4, Word{Meaning: serviceRefused + ": another reason", causes: causesOf(1)}),
	on('I', 5, 5, Word{Meaning: "registration refused: CMTS MIC", Recalled: true, causes: badMIC}),
	on('I', 101, 103, Word{Meaning: "registration request: bad SID, or TLVs out of order", Recalled: true, causes: []cause{structure, newTLV, firmware}}),
	on('I', 104, 104, Word{Meaning: "a required TLV is missing", Recalled: true, causes: []cause{modemRefuses, noFlow, scheduling, setType}}),
	on('I', 105, 107, Word{Meaning: "a channel of the file: bad frequency, not in use, unknown or overloaded", Recalled: true, causes: []cause{pinned}}),
	on('I', 108, 108, Word{Meaning: "network access has an invalid value", Recalled: true, causes: []cause{{text: "NetworkAccess is neither 0 nor 1", remedy: "NetworkAccess 1;", tlvs: "3"}}}),
	on('I', 109, 116, Word{Meaning: "a class of service of DOCSIS 1.0 is invalid or not supported", causes: []cause{cosClass, structure}}),
	on('I', 117, 117, Word{Meaning: "the modem's capabilities are invalid", causes: []cause{foreignTLV, firmware}}),
	at(201, 1, Word{Meaning: "registration refused: unrecognized setting", Recalled: true, causes: causesOf(2)}),
	at(201, 2, Word{Meaning: "registration refused: temporarily, resources", Recalled: true, causes: causesOf(3)}),
	at(201, 3, Word{Meaning: "registration refused: permanently, administrative", Recalled: true, causes: causesOf(4)}),
	at(201, 4, Word{Meaning: "registration refused: a required parameter is missing", Recalled: true, causes: causesOf(8)}),
	at(201, 5, Word{Meaning: "registration refused: header suppression", Recalled: true, causes: causesOf(9)}),
	at(201, 6, Word{Meaning: "registration refused: several errors", Recalled: true, causes: causesOf(13)}),
	at(201, 7, Word{Meaning: "registration refused: a reference is used twice", Recalled: true, causes: causesOf(18)}),
	at(201, 8, Word{Meaning: "registration refused: a parameter is invalid in its context", Recalled: true, causes: causesOf(23)}),
	at(201, 9, Word{Meaning: "registration refused: authorization", Recalled: true, causes: causesOf(24)}),
	at(201, 10, Word{Meaning: "registration refused: major service flow error", Recalled: true, causes: causesOf(200)}),
	at(201, 11, Word{Meaning: "registration refused: major classifier error", Recalled: true, causes: causesOf(201)}),
	at(201, 12, Word{Meaning: "registration refused: major header suppression error", Recalled: true, causes: causesOf(202)}),
	at(201, 13, Word{Meaning: "registration refused: several major errors", Recalled: true, causes: causesOf(203)}),
	at(201, 14, Word{Meaning: "registration refused: syntax", Recalled: true, causes: causesOf(204)}),
	at(201, 15, Word{Meaning: "registration refused: primary service flow", Recalled: true, causes: causesOf(205)}),
	at(201, 16, Word{Meaning: "registration refused: the message is too big", Recalled: true, causes: causesOf(206)}),
	on('I', 201, 201, Word{Meaning: "registration refused", Recalled: true, causes: refused}),
	on('I', 202, 202, Word{Meaning: "the registration was not acknowledged", Recalled: true, causes: []cause{manyFlows, masks, rf}}),
	on('I', 251, 251, Word{Meaning: "the modem refuses the registration response", Recalled: true, causes: []cause{manyFlows, masks, firmware}}),
	on('I', 301, 302, Word{Meaning: "the registration response or its acknowledgement was refused", Recalled: true, causes: []cause{manyFlows, masks, firmware}}),
	on('I', 401, 401, Word{Meaning: "an SNMP object of the file (11) that the modem does not know", causes: []cause{unknownOID}}),
	on('I', 402, 402, Word{Meaning: "an SNMP object of the file (11) could not be set", Recalled: true, causes: []cause{badObject, {text: "this modem takes no such value, or not this object", remedy: "the event has the OID; see what the modem's vendor says of it", tlvs: "11"}}}),
	on('I', 403, 403, Word{Meaning: "SNMP objects of the file (11) are set twice: the modem throws the file away", Recalled: true, causes: []cause{twiceOID}}),

	on('E', 200, 299, Word{Meaning: "software upgrade: the certificate in the configuration file is missing, damaged, or does not verify", Recalled: true, causes: []cause{cvc}}),
	on('E', 100, 199, Word{Meaning: "software upgrade: image missing, or not verified", Recalled: true, causes: []cause{cvc, {text: "the server has no such image", remedy: "get the image by dcs get, or from the server that the file names", tlvs: "9"}}}),
	on('R', 0, 9999, Word{Meaning: "ranging", causes: []cause{rf}}),
	on('T', 0, 9999, Word{Meaning: "the downstream: synchronization, UCD", causes: []cause{rf}}),
	on('U', 0, 9999, Word{Meaning: "the upstream: UCD", causes: []cause{rf}}),
}
