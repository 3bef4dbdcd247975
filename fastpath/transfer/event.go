package transfer

// An Event is what a Table counts.
type Event uint8

// The events.
const (
	Started         Event = iota // transfers whose first packet was sent
	Finished                     // transfers whose last block was acknowledged
	GaveUp                       // transfers that ended because the client stayed silent
	GaveUpFirst                  // of these, those with nothing acknowledged
	GaveUpLast                   // of these, those with only the last block unacknowledged
	Overdue                      // transfers that ended because they took too long, or too much had to be sent again
	Retired                      // transfers that ended because the table was full and their client silent
	Probed                       // transfers that ended because the client wanted the size alone, or the file is empty
	FileCut                      // transfers that ended because their file was cut short in place
	Unreachable                  // transfers that ended because the client's port was closed
	Restarted                    // transfers that ended because the client sent a new request
	Evicted                      // transfers that ended before any ACK because another transfer needed their entry or memory
	Once                         // one-block files sent without keeping a transfer, because half of the table was waiting for a first ACK
	TableFull                    // requests dropped because the table was full
	MemoryFull                   // requests dropped because there was no memory for the body
	RepeatedRequest              // repeated requests, answered by sending again
	LateRequest                  // requests from the client of a transfer that is well under way or being rendered, ignored
	RepeatedACK                  // repeated ACKs, ignored (RFC 1123, section 4.2.3.1)
	FutureACK                    // ACKs of blocks not sent yet, ignored
	LateACK                      // ACKs to a transfer that has just finished, ignored
	StrangerPacket               // packets to a TID from someone without a transfer there, answered with ERROR 5
	TimedOut                     // retransmissions after a timeout, in windows
	WindowResent                 // windows sent again from a gap that the client reported (RFC 7440)
	PathResent                   // windows sent again because a router reported that blocks are too long for the next link
	BlockSent                    // DATA packets
	StrayError                   // ERROR packets from someone without a transfer
	PeerUndefined                // transfers ended by the client's ERROR 0; from here on by code
	PeerNotFound                 // ERROR 1
	PeerAccess                   // ERROR 2
	PeerDiskFull                 // ERROR 3
	PeerIllegal                  // ERROR 4
	PeerUnknownTID               // ERROR 5
	PeerExists                   // ERROR 6
	PeerNoUser                   // ERROR 7
	PeerOption                   // ERROR 8
	PeerOther                    // any other code
	NumEvents                    // number of events
)

var eventNames = [NumEvents]string{
	Started: "started", Finished: "finished", GaveUp: "gave_up", GaveUpFirst: "gave_up_first", GaveUpLast: "gave_up_last", Overdue: "overdue", Retired: "retired", Probed: "probed", FileCut: "file_cut", Unreachable: "unreachable", Restarted: "restarted",
	Evicted: "evicted", Once: "once", TableFull: "table_full", MemoryFull: "memory_full", RepeatedRequest: "repeated_request", LateRequest: "late_request",
	RepeatedACK: "repeated_ack", FutureACK: "future_ack", LateACK: "late_ack", StrangerPacket: "stranger_packet",
	TimedOut: "timed_out", WindowResent: "window_resent", PathResent: "path_resent", BlockSent: "block_sent", StrayError: "stray_error",
	PeerUndefined: "peer_error_undefined", PeerNotFound: "peer_error_not_found", PeerAccess: "peer_error_access",
	PeerDiskFull: "peer_error_disk_full", PeerIllegal: "peer_error_illegal", PeerUnknownTID: "peer_error_unknown_tid",
	PeerExists: "peer_error_exists", PeerNoUser: "peer_error_no_user", PeerOption: "peer_error_option", PeerOther: "peer_error_other",
}

// String returns the event's name in metrics.
func (e Event) String() string {
	if e >= NumEvents {
		return "unknown"
	}
	return eventNames[e]
}
