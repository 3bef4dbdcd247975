package reason

// object is a MIB object whose numbers are states.
type object struct {
	names  string
	labels map[int]string
}

// objects are those that tell why a modem is not online, without the values that say nothing of it.
var objects = []object{
	{"CDX cdxCmtsCmStatusValue", map[int]string{
		1: "offline", 3: "initRangingRcvd", 4: "initDhcpReqRcvd", 5: "onlineNetAccessDisabled", 6: "onlineKekAssigned", 7: "onlineTekAssigned", 8: "rejectBadMic", 9: "rejectBadCos",
		10: "kekRejected", 11: "tekRejected", 12: "online", 13: "initTftpPacketRcvd", 14: "initTodRequestRcvd", 15: "reset", 16: "rangingInProgress", 17: "rangingCompleted",
		18: "dhcpGotIpAddr", 19: "rejStaleConfig", 20: "rejIpSpoof", 21: "rejClassFail", 22: "rejRegNack", 23: "bpiKekExpired", 24: "bpiTekExpired", 25: "shutdown",
		26: "channelChgInitRangingRcvd", 27: "channelChgRangingInProgress",
	}},
	{"docsDevServerBootState", map[int]string{
		1: "operational", 3: "waitingForDhcpOffer", 4: "waitingForDhcpResponse", 5: "waitingForTimeServer", 6: "waitingForTftp", 7: "refusedByCmts", 8: "forwardingDenied",
	}},
	{"docsIf3CmStatusValue CmRegState", map[int]string{
		2: "notReady", 3: "notSynchronized", 4: "phySynchronized", 5: "usParametersAcquired", 6: "rangingComplete", 7: "dhcpv4Complete", 8: "todEstablished", 9: "securityEstablished",
		10: "configFileDownloadComplete", 11: "registrationComplete", 12: "operational", 13: "accessDenied", 14: "eaeInProgress", 15: "dhcpv4InProgress", 16: "dhcpv6InProgress",
		17: "dhcpv6Complete", 18: "registrationInProgress", 19: "bpiInit", 20: "forwardingDisabled", 21: "dsTopologyResolutionInProgress", 22: "rangingInProgress", 23: "rfMuteAll",
	}},
	{"docsIf3CmtsCmRegStatusValue CmtsCmRegState", map[int]string{
		2: "initialRanging", 4: "rangingAutoAdjComplete", 5: "dhcpv4Complete", 6: "registrationComplete", 8: "operational", 9: "bpiInit", 10: "startEae", 11: "startDhcpv4", 12: "startDhcpv6",
		13: "dhcpv6Complete", 14: "startConfigFileDownload", 15: "configFileDownloadComplete", 16: "startRegistration", 17: "forwardingDisabled", 18: "rfMuteAll",
	}},
	{"docsIfCmtsCmStatusValue", map[int]string{
		2: "ranging", 3: "rangingAborted", 4: "rangingComplete", 5: "ipComplete", 6: "registrationComplete", 7: "accessDenied", 8: "operational", 9: "registeredBPIInitializing",
	}},
	{"docsIfCmStatusValue", map[int]string{
		2: "notReady", 3: "notSynchronized", 4: "phySynchronized", 5: "usParametersAcquired", 6: "rangingComplete", 7: "ipComplete", 8: "todEstablished", 9: "securityEstablished",
		10: "paramTransferComplete", 11: "registrationComplete", 12: "operational", 13: "accessDenied",
	}},
	{"pktcMtaDevProvisioningState MTA", map[int]string{
		1: "pass", 2: "inProgress", 3: "failConfigFileError", 4: "passWithWarnings", 5: "passWithIncompleteParsing", 6: "failureInternalError", 7: "failureOtherReason",
	}},
}
