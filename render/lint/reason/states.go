package reason

// state is a word that has a name.
type state struct {
	Word
	also string // other names, separated by blanks
}

// badConfiguration are the causes of a file that a CMTS does not grant.
var badConfiguration = []cause{
	primary, noFlow, flowTwice, flowRef, setType, clFlow, clTwice, minOverMax, scheduling, className, reserved, scheduled, cosClass, mixed, primaryUp, foreign, bursts, aggregate,
	clValues, phs, masks, vendor, structure, foreignTLV, newTLV, rateLimit, manyFlows, barred, tftpEnforce, otherFile,
}

// badMIC are the causes of a CMTS MIC that does not verify.
var badMIC = []cause{badCMTSMIC, noSecret, otherSecret, altered, extendedMIC, newTLV, tftpEnforce, otherFile}

// modemRejects are the causes of a modem that fetches its file again and again.
var modemRejects = []cause{ownMIC, modemRefuses, twiceOID, structure, badObject, tooLarge}

// refused are the causes of a registration that was refused in one way or another.
var refused = join(badMIC, badConfiguration, []cause{staleTime, constantIP, wrongSource, seenIP, bpiOff})

// states are those of modems at a CMTS, in the words of Cisco, which Casa and Harmonic mostly share, of ARRIS, and of the MIBs.
var states = []state{
	{Word{Text: "offline", Meaning: "the CMTS does not hear the modem", causes: []cause{noFile, power, rejectPause}}, "notReady rfMuteAll shutdown reset"},
	{Word{Text: "init(r1)", Meaning: "the modem began to range", causes: []cause{rf}}, "initRangingRcvd ranging initialRanging channelChgInitRangingRcvd notSynchronized phySynchronized usParametersAcquired dsTopologyResolutionInProgress"},
	{Word{Text: "init(r2)", Meaning: "the modem ranges", causes: []cause{rf}}, "rangingInProgress rangingAborted channelChgRangingInProgress T1 T2 T3 T4"},
	{Word{Text: "init(rc)", Meaning: "the modem has ranged, and gets no address", causes: []cause{
		noDHCP, {text: "the upstream has no capacity left", remedy: "look at the CMTS's admission control"}, pinned,
	}}, "rangingCompleted rangingComplete rangingAutoAdjComplete startEae eaeInProgress"},
	{Word{Text: "init(d)", Meaning: "the modem has asked DHCP", causes: []cause{noDHCP, dhcpParts}}, "init(io) init6(s) initDhcpReqRcvd waitingForDhcpOffer startDhcpv4 startDhcpv6 dhcpv4InProgress dhcpv6InProgress"},
	{Word{Text: "init(i)", Meaning: "the modem has an address, and asks for no file", causes: []cause{dhcpParts, noTime, noDHCP}}, "init(a) dhcpGotIpAddr waitingForDhcpResponse ipComplete dhcpv4Complete dhcpv6Complete"},
	{Word{Text: "init(t)", Meaning: "the modem waits for the time of day", causes: []cause{noTime}}, "initTodRequestRcvd waitingForTimeServer todEstablished"},
	{Word{Text: "init(o)", Meaning: "the modem asks for its file, or has it and asks again", causes: join([]cause{noFile}, modemRejects, []cause{otherName, silent, blocked})}, "initTftpPacketRcvd waitingForTftp startConfigFileDownload securityEstablished"},
	{Word{Text: "configFileDownloadComplete", Meaning: "the modem has its file, and does not register: it dislikes the file, or its request is not answered", causes: join(modemRejects, []cause{reqSize, rf, barred})}, "paramTransferComplete registrationInProgress startRegistration"},
	{Word{Text: "online", Meaning: "the modem is registered; if it leaves after seconds, the file may be the reason", causes: []cause{
		upgrade, pinned, {text: "the modem lost the acknowledgement of its registration", remedy: "check the levels", recalled: true},
	}}, "operational registrationComplete online(pt) online(pk) bpiInit registeredBPIInitializing onlineKekAssigned onlineTekAssigned"},
	{Word{Text: "online(d)", Meaning: "the modem is registered, and forwards nothing of its CPEs", causes: []cause{
		{text: "the file says NetworkAccess 0", remedy: "serve another template: often the one for unknown or suspended devices", rules: "net-access-off", notes: true, tlvs: "3=0"},
		{text: "the device is unknown, and gets the file of such devices", remedy: "add it to a source of devices", facts: []Fact{UnknownDevice}},
		{text: "the CMTS turns forwarding off", remedy: "look at the CMTS's log"},
		otherFile,
	}}, "online(pkd) online(ptd) p-online(d) forwardingDisabled forwardingDenied onlineNetAccessDisabled"},
	{Word{Text: "p-online", Meaning: "partial service: the modem cannot use all of its channels", causes: []cause{
		masks, {text: "some channels are unusable, or the modem lacks OFDM", remedy: "not the file: check the plant and the modem's version", recalled: true},
	}}, "p-online(pt) p-online(pk) partial"},
	{Word{Text: "reject(m)", Meaning: "registration refused: bad MIC", causes: badMIC}, "rejectBadMic"},
	{Word{Text: "reject(c)", Meaning: "registration refused: what the file asks for is not granted", causes: badConfiguration}, "rejectBadCos rejClassFail"},
	{Word{Text: "reject(ts)", Meaning: "registration refused: the time in the file (19) is too far from the CMTS's", causes: []cause{staleTime, clocks, oldCopy, otherFile}}, "rejStaleConfig"},
	{Word{Text: "reject(ip)", Meaning: "registration refused: the address in the file (20, 59) is not the modem's", causes: []cause{constantIP, wrongSource, seenIP, moved, otherFile}}, "rejIpSpoof"},
	{Word{Text: "reject(na)", Meaning: "the modem did not acknowledge the registration", causes: []cause{
		manyFlows, masks, {text: "the upstream lost the acknowledgement", remedy: "check the levels"},
	}}, "rejRegNack"},
	{Word{Text: "accessDenied", Meaning: "registration refused or aborted; the CMTS's log has the confirmation code", causes: refused}, "refusedByCmts registrationDenied reject"},
	{Word{Text: "cc(r1)", Meaning: "the modem is being moved to another channel", causes: []cause{
		{text: "a channel change is under way", remedy: "wait"},
		{text: "the file and the CMTS's load balancing move the modem to and fro", remedy: "leave TLVs 1 and 2 out", rules: "channel-pinned", tlvs: "1 2", recalled: true},
	}}, "cc(r2)"},
}

// keyStates are those of BPI.
var keyStates = []state{
	{Word{Text: "reject(pk)", Meaning: "the modem's key (KEK) was refused", causes: keys}, "kekRejected"},
	{Word{Text: "reject(pt)", Meaning: "the key of the modem's traffic (TEK) was refused", causes: keys}, "tekRejected"},
	{Word{Text: "expire(pk)", Meaning: "the modem's key (KEK) was not renewed", causes: renewal}, "bpiKekExpired"},
	{Word{Text: "expire(pt)", Meaning: "the key of the modem's traffic (TEK) was not renewed", causes: renewal}, "bpiTekExpired"},
}

var (
	keys    = []cause{bpiOff, certificate, badClock, noBPI, bpiTimers}
	renewal = []cause{bpiTimers, certificate, badClock}
)

// keyErrors are the error codes of BPKM, by number.
var keyErrors = []Word{
	{Meaning: "no information", causes: keys},
	{Meaning: "the modem is not authorized", causes: keys},
	{Meaning: "the modem is not authorized for the SAID", causes: keys},
	{Meaning: "unsolicited", causes: []cause{rf, firmware}},
	{Meaning: "invalid key sequence number", causes: renewal},
	{Meaning: "the key request failed authentication", causes: []cause{badClock, certificate, firmware}},
	{Meaning: "permanently refused", causes: []cause{certificate, badClock}},
	{Meaning: "not authorized for the multicast flow", causes: []cause{{text: "a static multicast session that the CMTS does not permit", remedy: "look at TLV 64", tlvs: "64"}, barred}},
	{Meaning: "the flow has no SAID", causes: []cause{{text: "a static multicast session that the CMTS does not know", remedy: "look at TLV 64", tlvs: "64"}, firmware}},
	{Meaning: "the modem has not got the time of day", causes: []cause{noTime}},
	{Meaning: "early authentication is disabled", causes: []cause{{text: "the CMTS does not do early authentication", remedy: "not the file: compare the CMTS's configuration"}}},
}

// logStates are messages of Cisco's IOS.
var logStates = []state{
	{Word{Text: "CLASSFAIL", Meaning: "registration refused: bad or missing class of service", causes: badConfiguration}, ""},
	{Word{Text: "REGISTRATION_BEFORE_TFTP", Meaning: "the CMTS did not see the modem's TFTP request, and refuses it (cable tftp-enforce)", causes: []cause{
		{text: "the modem used a file that it had kept", remedy: "reset the modem"},
		{text: "the request took another path: dual stack, a route around the CMTS, boot files over HTTP", remedy: "route requests through the CMTS; serve that family by TFTP"},
	}}, ""},
	{Word{Text: "INVALID_MODEM_CONFIGURATION_SETTING_FORMAT", Meaning: "a setting in the registration request is malformed; with 73011700 it is the modem's capabilities, not the file", causes: []cause{foreignTLV, structure, firmware}}, ""},
	{Word{Text: "dynamic secret check failed", Meaning: "the CMTS replaces MICs (cable dynamic-secret), and this one is not its own", causes: dynamicSecret}, "did-not-tftp-config-file"},
}

var dynamicSecret = []cause{
	{text: "the file did not pass through this CMTS, or the modem had kept it", remedy: "route requests through the CMTS; reset the modem"},
	{text: "another modem used the same file", remedy: "make each modem's file differ: a template with $ip or $time does"},
	badCMTSMIC, noSecret, otherSecret,
}
