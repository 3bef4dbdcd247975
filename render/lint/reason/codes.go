package reason

import "slices"

// code is a word that has numbers.
type code struct {
	Word
	numbers []int
}

// codes are the confirmation codes of registration.
var codes = []code{
	{Word{Meaning: "success"}, []int{0}},
	{Word{Meaning: "another reason, which the CMTS's log may say; in DOCSIS 1.0: authentication failure", causes: join(badMIC, []cause{barred})}, []int{1}},
	{Word{Meaning: "unrecognized configuration setting; in DOCSIS 1.0: class of service failure", causes: []cause{newTLV, vendor, cosClass, foreignTLV}}, []int{2}},
	{Word{Meaning: "temporarily refused: resources", causes: []cause{reserved, scheduled, manyFlows, {text: "the channel or the CMTS is full", remedy: "a retry may succeed"}}}, []int{3}},
	{Word{Meaning: "permanently refused: administrative", causes: []cause{className, cosClass, barred}}, []int{4}},
	{Word{Meaning: "not the owner of the service flow", causes: []cause{firmware}}, []int{5}},
	{Word{Meaning: "service flow not found", causes: []cause{clFlow, firmware}}, []int{6}},
	{Word{Meaning: "service flow exists", causes: []cause{flowTwice, firmware}}, []int{7}},
	{Word{Meaning: "a required parameter is missing", causes: []cause{scheduling, setType, flowRef, clFlow, clTwice, noFlow}}, []int{8}},
	{Word{Meaning: "header suppression", causes: []cause{phs}}, []int{9}},
	{Word{Meaning: "unknown transaction", causes: []cause{firmware, rf}}, []int{10}},
	{Word{Meaning: "authentication failure", causes: join(badMIC, []cause{staleTime, constantIP, wrongSource, clocks, seenIP})}, []int{11}},
	{Word{Meaning: "addition of a service flow aborted", causes: []cause{firmware, rf}}, []int{12}},
	{Word{Meaning: "several errors; the error encodings name the TLVs", causes: badConfiguration}, []int{13}},
	{Word{Meaning: "classifier not found", causes: []cause{clTwice, phs, firmware}}, []int{14}},
	{Word{Meaning: "classifier exists", causes: []cause{clTwice}}, []int{15}},
	{Word{Meaning: "header suppression rule not found", causes: []cause{phs}}, []int{16}},
	{Word{Meaning: "header suppression rule exists", causes: []cause{phs}}, []int{17}},
	{Word{Meaning: "a reference or index is used twice", causes: []cause{flowTwice, clTwice}}, []int{18}},
	{Word{Meaning: "several upstream flows, where one is allowed", causes: []cause{manyFlows}}, []int{19}},
	{Word{Meaning: "several downstream flows, where one is allowed", causes: []cause{manyFlows}}, []int{20}},
	{Word{Meaning: "the classifier is for another service flow", causes: []cause{clFlow}}, []int{21}},
	{Word{Meaning: "the header suppression rule is for another service flow", causes: []cause{phs}}, []int{22}},
	{Word{Meaning: "a parameter is invalid in its context", causes: []cause{foreign, scheduling, setType}}, []int{23}},
	{Word{Meaning: "authorization failure", causes: []cause{{text: "a PacketCable gate or a policy is missing", remedy: "not the file: look at the call manager"}, barred}}, []int{24}},
	{Word{Meaning: "temporarily refused: a change of channels is under way", Recalled: true, causes: []cause{rf}}, []int{25, 31}},
	{Word{Meaning: "channels or attributes do not fit", Recalled: true, causes: []cause{masks, pinned}}, []int{26, 27}},
	{Word{Meaning: "identifiers are exhausted: SID clusters, DSIDs, SAs or SIDs", Recalled: true, causes: []cause{
		manyFlows, {text: "static multicast sessions", remedy: "look at their number", tlvs: "64", recalled: true},
	}}, []int{28, 40, 44, 49}},
	{Word{Meaning: "modem and CMTS disagree on bonding", Recalled: true, causes: []cause{masks, firmware}}, []int{29, 208, 209}},
	{Word{Meaning: "partial service; the modem is online", Recalled: true, causes: []cause{masks, rf}}, []int{30}},
	{Word{Meaning: "a reason of channel or bonding changes", Recalled: true, causes: []cause{masks, manyFlows, firmware}}, slices.Concat(span(32, 39), span(41, 43), span(45, 48))},
	{Word{Meaning: "a channel change: departs, has arrived, is there already", causes: []cause{rf}}, []int{180, 181, 182}},
	{Word{Meaning: "major service flow error: a value of TLV 24 or 25 that the CMTS cannot take", causes: []cause{
		minOverMax, scheduling, setType, flowTwice, flowRef, foreign, bursts, className, aggregate, masks, reserved, rateLimit,
	}}, []int{200}},
	{Word{Meaning: "major classifier error: a value of TLV 22 or 23", causes: []cause{clFlow, clTwice, clValues, manyFlows}}, []int{201}},
	{Word{Meaning: "major header suppression error", causes: []cause{phs}}, []int{202}},
	{Word{Meaning: "several major errors", causes: badConfiguration}, []int{203}},
	{Word{Meaning: "syntax error in the message", causes: []cause{structure, newTLV, firmware}}, []int{204}},
	{Word{Meaning: "primary service flow error", causes: []cause{primary, noFlow, primaryUp, setType}}, []int{205}},
	{Word{Meaning: "the message is too big", causes: []cause{reqSize, manyFlows}}, []int{206}},
	{Word{Meaning: "invalid modem capabilities", causes: []cause{foreignTLV, firmware}}, []int{207}},
}

// span returns the numbers from first to last.
func span(first, last int) []int {
	var out []int
	for n := first; n <= last; n++ {
		out = append(out, n)
	}
	return out
}

// causesOf returns the causes of a confirmation code, for events that stand for one.
func causesOf(number int) []cause {
	i := slices.IndexFunc(codes, func(c code) bool { return slices.Contains(c.numbers, number) })
	return codes[i].causes
}
