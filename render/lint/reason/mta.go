package reason

var (
	mtaRefuses = []cause{
		{text: "the hash of the file is wrong", remedy: "let DCS make it: hash na, eu or ietf", rules: "mta-hash", facts: []Fact{BadModemMIC}},
		{text: "a realm, a call manager or the switch of the MTA is missing or wrong", remedy: "correct the objects", rules: "mta-realm mta-basics mta-frame"},
		{text: "an object cannot be read or set", remedy: "correct type, range or instance", rules: "oid-type oid-range oid-instance oid-access oid-dup"},
		rowsIncomplete,
	}
	rowsIncomplete = cause{text: "a row is incomplete, or its index is coded otherwise than the MTA takes it", remedy: "add the columns that are missing; try the other form of the index", rules: "row-status row-incomplete"}
	otherFamily    = cause{text: "objects of another MIB family than the MTA's: CableLabs, Excentis or IETF", remedy: "name the module, or set mib_prefer; the MTA's error table (pktcMtaDevErrorOids) names the OIDs", rules: "mta-family oid-unknown", tlvs: "11 64"}
	notMTAFile     = cause{text: "DNS, the KDC, option 122 of DHCP, or an INFORM that nobody answers", remedy: "not the file: look at the provisioning server's log"}
	mtaEnabled     = cause{text: "the MTA or its end points are not switched on, or have no call agent", remedy: "SnmpMibObject pktcMtaDevEnabled.0 Integer 1;, and the rows of the end points", rules: "mta-basics"}
)

// mtaStates are the provisioning states of an MTA.
var mtaStates = []state{
	{Word{Text: "failConfigFileError", Meaning: "the MTA refuses its file: something mandatory is wrong", causes: join([]cause{noFile}, mtaRefuses)}, ""},
	{Word{Text: "passWithWarnings", Meaning: "the MTA is up; something optional in its file is wrong", causes: []cause{otherFamily, badObject}}, ""},
	{Word{Text: "passWithIncompleteParsing", Meaning: "the MTA is up, and has not read all of its file", causes: []cause{{text: "too many entries for its memory", remedy: "shorten the file", tlvs: "11 64"}}}, ""},
	{Word{Text: "inProgress", Meaning: "the MTA is still being provisioned", causes: []cause{noFile, notMTAFile}}, ""},
	{Word{Text: "failureInternalError", Meaning: "the MTA failed by itself", causes: []cause{firmware, notMTAFile}}, ""},
	{Word{Text: "failureOtherReason", Meaning: "the MTA failed for a reason that it does not say", causes: join(mtaRefuses, []cause{notMTAFile, firmware})}, "failOtherReason"},
	{Word{Text: "TFTP error in config file", Meaning: "an ARRIS MTA could not use its file", causes: join([]cause{rowsIncomplete}, mtaRefuses)}, ""},
	{Word{Text: "pass", Meaning: "the MTA is up; if its lines are dark, the file may be the reason", causes: []cause{mtaEnabled, otherFamily, {text: "the call agent's name does not resolve, or it does not know the lines", remedy: "look at the call agent"}}}, "dark"},
}
