package reason

// Causes that several words share.
var (
	power       = cause{text: "the modem is off, or the plant between it and the CMTS is bad", remedy: "check power, levels and noise"}
	rf          = cause{text: "radio: levels, noise, ranging", remedy: "not the file: check levels and the plant"}
	rejectPause = cause{text: "the modem was rejected and waits before it tries again", remedy: "watch the CMTS for a minute: a reject shows as offline for a while; the events say whether the modem asks again and again"}
	noDHCP      = cause{text: "no answer of DHCP: server, relay", remedy: "check the DHCP server's log for the modem's MAC address"}
	dhcpParts   = cause{text: "the offer lacks a file name, server or time server", remedy: "check DHCP's file name, next-server, options 66 and 67, and 122 for MTAs"}
	noTime      = cause{text: "the time server does not answer", remedy: "check option 4 of DHCP and the server that it names; later modems than 1.1 go on without the time", recalled: true}
	pinned      = cause{text: "the file moves the modem to a channel where it cannot range", remedy: "leave TLVs 1 and 2 out, or correct them", rules: "channel-pinned us-channel-reserved ds-freq-step ds-freq-range scan-list", tlvs: "1 2 41 56", recalled: true}

	noFile    = cause{text: "the modem is given no file", remedy: "the message says what is missing", facts: []Fact{NoFile}}
	otherName = cause{text: "the modem asks for another name than this one: a misspelling in DHCP, upper and lower case", remedy: "look for unknown_name in the log with the modem's address"}
	silent    = cause{text: "the server is silent: not ready, overloaded, beyond rate or allow, or still looking the device up", remedy: "look at /readyz and the counters of dropped requests"}
	blocked   = cause{text: "answers do not arrive: a firewall or the CMTS admits port 69 only, or drops large datagrams", remedy: "look for 'file not delivered' in the log; see tid_ports, single_port and blksize"}
	twoServer = cause{text: "two servers answer, or the network duplicates packets", remedy: "look at anycast routes and VRRP; try single_port"}

	ownMIC = cause{
		text: "the modem's own check of the file fails: CM MIC", remedy: "let DCS make the MICs, or serve the static file with resign: on",
		rules: "mic-missing mic-invalid end-missing tlv-truncated", facts: []Fact{BadModemMIC},
	}
	modemRefuses = cause{text: "the file lacks what a modem must find in it", remedy: "add what is missing", rules: "net-access-missing qos-missing"}
	twiceOID     = cause{text: "an object is set twice: the modem throws the file away", remedy: "keep one of the two; blocks that are both included often bring one each", rules: "oid-dup"}
	badObject    = cause{text: "an SNMP object cannot be set as the file does", remedy: "correct type, range, instance or access", rules: "oid-type oid-range oid-access oid-instance row-status row-incomplete"}
	unknownOID   = cause{text: "an object that this modem does not have, such as one of another vendor", remedy: "harmless: the modem goes on. Select by vendor if the event disturbs", rules: "oid-unknown erouter-snmp", tlvs: "11"}
	tooLarge     = cause{text: "the file is too large for the modem", remedy: "split certificates and filters by vendor", rules: "size-tftp"}
	structure    = cause{text: "a TLV has the wrong length, or runs past the end of what contains it", remedy: "correct it", rules: "tlv-truncated tlv-length tlv-too-long group-empty"}

	badCMTSMIC = cause{
		text: "the CMTS MIC is wrong", remedy: "sign the file with the secret of the modem's CMTS: a template, or resign: on for a static file",
		rules: "mic-invalid", facts: []Fact{BadCMTSMIC},
	}
	noSecret    = cause{text: "files are signed with the empty secret", remedy: "configure the secret that the CMTS has", facts: []Fact{NoSecret}}
	otherSecret = cause{text: "the CMTS has another secret, on this interface or MAC domain, or a rotation is half done", remedy: "compare by dcs secret status --verify, and see which secret the prefix of the modem's address selects"}
	altered     = cause{text: "the file is altered on its way, or the CMTS puts a MIC of its own into it (dynamic-secret)", remedy: "compare a capture of the transfer with dcs get; see cable dynamic-secret"}
	extendedMIC = cause{text: "the CMTS asks for an extended MIC, or reads this one otherwise", remedy: "compare TLV 43.6 with the CMTS's configuration", rules: "ext-mic", anyway: true}
	newTLV      = cause{text: "a TLV that the CMTS or the modem does not know is left out, or put elsewhere, in the registration", remedy: "remove TLVs that are newer than the CMTS, one at a time", rules: "tlv-unknown tlv-newer tlv-registration-only tlv-dialect pad-inside", anyway: true}
	tftpEnforce = cause{text: "the CMTS did not see the modem's TFTP request (tftp-enforce)", remedy: "look for REGISTRATION_BEFORE_TFTP in its log; the request took another path, or went over HTTP"}

	reserved   = cause{text: "a reserved rate is more than admission control has left", remedy: "lower the reserved rate, or raise the CMTS's limit; a retry may succeed", rules: "rate-reserved", tlvs: "24.10>0 25.10>0 4.5>0"}
	scheduled  = cause{text: "grants or polls in fixed intervals are more than the upstream has left", remedy: "compare grant size and interval with the channel; a retry may succeed", tlvs: "24.19>0 24.17>0"}
	className  = cause{text: "the CMTS has no service class of this name", remedy: "compare the names, letter case included, with the CMTS's service classes", rules: "scn-length scn-override", tlvs: "24.4 25.4 24.39 25.39 70.4 71.4"}
	cosClass   = cause{text: "a class of service of DOCSIS 1.0 is not acceptable", remedy: "give classes different ids from 1 to 16; permit modems to create QoS profiles on the CMTS, or use service flows", rules: "cos-class-id cos-guaranteed cos-on-3x", tlvs: "4"}
	mixed      = cause{text: "a class of service stands beside service flows", remedy: "delete ClassOfService", rules: "cos-with-flows"}
	noFlow     = cause{text: "the file defines no service, or one in a single direction", remedy: "define a service flow in each direction", rules: "qos-missing sf-one-direction"}
	primary    = cause{text: "the first flow of a direction, its primary one, is not active", remedy: "put an active flow first: QosParamSetType 7", rules: "sf-primary-inactive"}
	primaryUp  = cause{text: "the primary upstream flow is not a best effort flow", remedy: "put a best effort flow first", rules: "sf-primary-kind"}
	setType    = cause{text: "a flow has no parameter set, or an impossible one", remedy: "write QosParamSetType 7", rules: "sf-set-type-missing sf-set-type-value sf-set-type-subset"}
	flowRef    = cause{text: "a flow has no reference", remedy: "add one, different from all others", rules: "sf-ref"}
	flowTwice  = cause{text: "two flows have the same reference", remedy: "give each flow a reference of its own", rules: "sf-ref-dup"}
	minOverMax = cause{text: "a flow's rates contradict each other, or do not fit", remedy: "correct the rates; with computed rates look at the values of the device", rules: "rate-min-over-max rate-overflow rate-unit-old rate-unit-guess"}
	bursts     = cause{text: "a flow's bursts are impossible", remedy: "correct them", rules: "burst-small concat-over-burst buffer-order"}
	scheduling = cause{text: "a flow lacks what its scheduling type needs", remedy: "add the parameters of grants or polls", rules: "ugs-required rtps-required sched-policy sched-pgs sched-value"}
	foreign    = cause{text: "a parameter does not belong in a flow of this direction or scheduling type", remedy: "delete it", rules: "sf-wrong-direction sched-not-applicable"}
	aggregate  = cause{text: "a flow and its aggregate do not fit together", remedy: "correct the references of the aggregate", rules: "asf-dangling lld-members"}
	clFlow     = cause{text: "a classifier leads to no flow of its direction", remedy: "give it the reference of a flow of its direction", rules: "cl-flow"}
	clTwice    = cause{text: "two classifiers have the same reference, or one has none", remedy: "give each classifier a reference of its own", rules: "cl-ref"}
	clValues   = cause{text: "a classifier has values that the CMTS cannot take", remedy: "correct them", rules: "cl-empty cl-ports cl-tos cl-mask cl-vlan cl-families cl-ethertype cl-overlap cl-count drop-form"}
	phs        = cause{text: "header suppression is wrong, or the CMTS has none", remedy: "leave PHS (26) out: later CMTSes do not support it", rules: "phs-refs phs-size phs-31", tlvs: "26"}
	masks      = cause{text: "attribute masks or channel lists leave no channel", remedy: "remove them, or compare them with the CMTS's channels", rules: "attr-masks", tlvs: "24.31>0 24.32>0 25.31>0 25.32>0 43.9 56"}
	rateLimit  = cause{text: "a rate is above what the CMTS permits", remedy: "compare the maximum rates with the CMTS's limits", tlvs: "24.8>0 25.8>0 4.2>0 4.3>0"}
	barred     = cause{text: "the CMTS bars the modem: locked, or after a security violation", remedy: "look at the CMTS's log"}
	vendor     = cause{text: "a vendor's field is not as the CMTS reads it", remedy: "put VendorIdentifier first, or leave the field out", rules: "vendor-first l2vpn", tlvs: "43"}
	manyFlows  = cause{text: "more flows or classifiers than the modem or the CMTS can hold", remedy: "compare their number with the modem's capabilities", rules: "cl-count", tlvs: "22 23 24 25 60", recalled: true}
	reqSize    = cause{text: "the registration request does not fit one frame", remedy: "move classifiers to service classes, shorten names", rules: "reg-req-size", recalled: true}
	foreignTLV = cause{text: "the file has TLVs that belong in registration messages, such as the modem's capabilities", remedy: "delete them", rules: "tlv-registration-only", tlvs: "5"}
	otherFile  = cause{text: "the modem got another file than this one: another name, another server, an old copy", remedy: "compare the name and time of its last transfer in the events"}
	firmware   = cause{text: "the modem's firmware, not the file", remedy: "update it"}

	staleTime   = cause{text: "the time in the file is constant", remedy: "TftpTimestamp $time;, or leave it out", rules: "time-literal"}
	clocks      = cause{text: "the clock of the server or of the CMTS is wrong, or its time zone", remedy: "run NTP on both, and compare timedatectl with show clock", tlvs: "19"}
	oldCopy     = cause{text: "the modem got an old copy: a cache, a proxy, or a long wait between file and registration", remedy: "look at the time of the last transfer in the events", tlvs: "19"}
	constantIP  = cause{text: "the address in the file is constant", remedy: "TftpModemAddress $ip;", rules: "address-literal"}
	wrongSource = cause{text: "the request contradicts the records of devices", remedy: "see Theft of service in the manual", facts: []Fact{WrongAddress}}
	seenIP      = cause{text: "the server sees another address than the modem has: the CMTS proxies TFTP, or addresses are translated", remedy: "list the CMTS in proxies and have it send netaddr; remove the translation", rules: "address-family", tlvs: "20 59"}
	moved       = cause{text: "the modem's lease changed between file and registration, or it took another modem's file", remedy: "compare the leases and events of both", tlvs: "20 59"}

	certificate = cause{text: "the modem's certificate is unknown to the CMTS, expired, revoked or on its hot list", remedy: "look at the CMTS's BPI log", recalled: true}
	badClock    = cause{text: "the clock of the modem or of the CMTS is wrong, so certificates look expired", remedy: "check the time server in DHCP, and NTP on the CMTS", recalled: true}
	bpiOff      = cause{text: "the file turns BPI+ off, and the CMTS demands it", remedy: "GlobalPrivacyEnable 1;", rules: "bpi-off", tlvs: "29=0", recalled: true}
	bpiTimers   = cause{text: "timers of BPI+ are out of range", remedy: "leave TLV 17 out, or correct it", rules: "bpi-range", tlvs: "17", recalled: true}
	noBPI       = cause{text: "the modem's firmware has no BPI+, and the CMTS demands it", remedy: "look at the modem's version", recalled: true}
	upgrade     = cause{text: "the modem starts a software upgrade", remedy: "compare the version with the image that the file names", rules: "sw-ignored", tlvs: "9"}
	cvc         = cause{text: "the image cannot be verified: no certificate in the file, or not that of the image's maker", remedy: "add the ManufacturerCVC of the image", rules: "sw-no-cvc sw-cvc sw-pair sw-name", tlvs: "9"}
)
