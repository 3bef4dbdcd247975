package metrics

import "slices"

//go:generate go run ./document ../../dcs/doc/metrics.md

// table has every metric declared below, in that order.
var table []*Metric

// The server's own metrics, each declared once: whoever counts, and whoever shows what was counted, goes by these.
var (
	BuildInfo                   = gauge("dcs_build_info", "1, with the version of dcs and of Go.", "version", "go")
	Ready                       = gauge("dcs_ready", "1 while requests are taken, as /readyz says: not before the start has ended, not while transfers come to their end, not while no interface has an address of listen, not without a template or static file.")
	ListenAddressUp             = gauge("dcs_listen_address_up", "1 if the host has the address of a configuration key (listen, admin, metrics, http) and the server has opened it.", "key", "address")
	Workers                     = gauge("dcs_workers", "Workers.")
	Requests                    = counter("dcs_requests_total", "Requests by what became of them: file (a transfer began; sent_once: one block was sent and forgotten, because half of all places were waiting for a first ACK), repeated (a client asked again and was sent the block again), error (an ERROR packet), malformed (an ERROR packet too) or dropped (silence; the modem asks again).", "result", "reason")
	Faults                      = counter("dcs_faults_total", "Requests that the renderer made no file for, by reason, over TFTP and HTTP.", "reason")
	IdentityMismatches          = counter("dcs_identity_mismatches_total", "Requests that name a device and contradict what is known of it: others_address (the address is another device's), elsewhere (the device has another address), other_device (the proxy says that another device asks), two_cmts (the device was behind another CMTS less than a minute ago); logged or, by bind: refuse, refused.", "reason", "result")
	Files                       = counter("dcs_files_total", "Files rendered by kind of template, and static ones, over TFTP and HTTP. HEAD counts none.", "kind")
	RequestWait                 = histogram("dcs_request_wait_seconds", "Time from a request's arrival at the kernel to the worker's batch, where the transport tells it.")
	RenderBatch                 = histogram("dcs_render_batch_seconds", "Time that rendering a request's whole batch took.")
	Answer                      = histogram("dcs_answer_seconds", "Time from a request's arrival at the kernel until its first answer was sent.")
	TransfersRunning            = gauge("dcs_transfers_running", "Transfers that run now.", "worker")
	TransfersEnded              = counter("dcs_transfers_ended_total", "Transfers by their end: finished, gave_up (the client stayed silent), evicted (another needed its place before the client had answered), overdue (it took too long, or too much had to be sent again), retired (every place was taken and the client silent), restarted (it asked anew), probed (it wanted the size alone, or the file is empty), file_cut (the file was cut short in place), unreachable (nobody listened at its port any more), or its ERROR packet.", "result")
	TransfersUnanswered         = counter("dcs_transfers_unanswered_total", "Of those given up, transfers whose client has acknowledged nothing: it does not get our packets, or somebody else asked in its name.")
	TransfersUnacknowledged     = counter("dcs_transfers_unacknowledged_total", "Of those given up, transfers with only the last block unacknowledged: their client most likely has the file.")
	BlocksSent                  = counter("dcs_blocks_sent_total", "DATA packets, repeated ones too.")
	Retransmissions             = counter("dcs_retransmissions_total", "Windows sent again: after a timeout, from a gap that the client reported (window), because it asked again (request), because a router said that blocks are too long for the next link (path_mtu).", "cause")
	ReadRequests                = counter("dcs_read_requests_total", "Well-formed read requests that reached a worker, whatever became of them.", "worker")
	PacketsReceived             = counter("dcs_packets_received_total", "Packets that reached a worker.", "worker")
	PacketsSent                 = counter("dcs_packets_sent_total", "Packets that a worker sent.", "worker")
	PacketsIgnored              = counter("dcs_packets_ignored_total", "Packets that are no request and belong to no running transfer, or repeat what was said.", "reason")
	OptionsInvalid              = counter("dcs_options_invalid_total", "Requests with a TFTP option whose value is not valid; the option is passed over.")
	ReceiveDrops                = counter("dcs_receive_drops_total", "Packets that the kernel threw away because the worker was too slow.", "worker")
	SendErrors                  = counter("dcs_send_errors_total", "Packets that could not be sent.", "worker")
	XDPPackets                  = counter("dcs_xdp_packets_total", "Packets that the XDP program has seen, by verdict.", "verdict")
	XDPBytes                    = counter("dcs_xdp_bytes_total", "Octets of these packets, with their link-layer headers.", "verdict")
	XDPLost                     = counter("dcs_xdp_lost_total", "How often the XDP program was taken off its interface.")
	XSKPackets                  = counter("dcs_xsk_packets_total", "Packets of AF_XDP sockets: received, sent, or what else became of them.", "queue", "what")
	XDPFallbacks                = counter("dcs_xdp_fallbacks_total", "How often an interface was left to the sockets because packets that were steered past the kernel arrived nowhere.")
	XDPInterfaceAttached        = gauge("dcs_xdp_interface_attached", "1 while the XDP program is on the interface, which may be a member of a bond or team.", "interface", "bond")
	XDPInterfaceAFXDP           = gauge("dcs_xdp_interface_af_xdp", "1 while the program hands the interface's packets to AF_XDP sockets.", "interface", "bond")
	CaptureRunning              = gauge("dcs_capture_running", "1 while somebody captures what XDP takes (dcs capture).")
	CapturePackets              = counter("dcs_capture_packets_total", "Packets of captures: written, or lost because there was no room; these are counted at a capture's end.", "result")
	TransportInfo               = gauge("dcs_transport_info", "1 for each interface with an XDP program, or once without any, with the transport, the program's mode, and why it is so.", "transport", "mode", "interface", "reason")
	Capability                  = gauge("dcs_capability", "1 where the server has this of the machine and uses it, else 0, and why.", "name", "reason")
	LearnedNames                = gauge("dcs_learned_names", "Names in the learned table.")
	LearnedBytes                = gauge("dcs_learned_bytes", "Memory of the learned table's names; learned_memory bounds it.")
	LearnedHits                 = counter("dcs_learned_hits_total", "Requests for a name that was in the learned table.")
	LearnedMisses               = counter("dcs_learned_misses_total", "Requests for a name that was not.")
	LearnedEvictions            = counter("dcs_learned_evictions_total", "Names that left the learned table for others.")
	LibraryTemplates            = gauge("dcs_library_templates", "Templates that are served from.")
	LibraryStaticFiles          = gauge("dcs_library_static_files", "Static files that are served.")
	LibraryStaticRefused        = gauge("dcs_library_static_refused", "Files that no template makes, static ones for most, that a modem or its CMTS refuses: damaged, or of no secret that a CMTS holds.")
	LibraryStaticUnreadable     = gauge("dcs_library_static_unreadable", "Static files, and directories of them, that the last load could not read. Their names get no file, or what was loaded of them before.")
	LibraryWithheld             = gauge("dcs_library_withheld", "Templates that give no file for their errors, and files that cannot be read; their names get ERROR 0.")
	LibraryWarnings             = gauge("dcs_library_warnings", "Warnings about the library that is served from.")
	LibraryLoadErrors           = gauge("dcs_library_load_errors", "Errors that the last load of the library found; while there are any, the one before is served.")
	LibraryLastReloadSuccessful = gauge("dcs_library_last_reload_successful", "1 if the last load of the library succeeded.")
	LibraryLoadedTimestamp      = gauge("dcs_library_loaded_timestamp_seconds", "When the library that is served was loaded, Unix time.")
	LibraryReloads              = counter("dcs_library_reloads_total", "Loads of the library: ok or failed.", "result")
	SecretGeneration            = gauge("dcs_secret_generation", "Generation of the keyring; 0 without one.")
	Devices                     = gauge("dcs_devices", "Devices that a source knows.", "source")
	DevicesDuplicate            = gauge("dcs_devices_duplicate", "Devices that a source has told of more than once.", "source")
	DeviceSourceUp              = gauge("dcs_device_source_up", "1 if the last call to the source succeeded.", "source")
	DeviceSourceLoading         = gauge("dcs_device_source_loading", "1 while all devices of the source are being loaded.", "source")
	DeviceSourceHeld            = gauge("dcs_device_source_held", "1 while devices or values that the source has lost are held back.", "source")
	DeviceChangesHeld           = gauge("dcs_device_changes_held", "Changes that are held back, in whole or in part, since the last load that was taken.", "source")
	DeviceSnapshotTimestamp     = gauge("dcs_device_snapshot_timestamp_seconds", "When what is served of a source was loaded, Unix time.", "source")
	DeviceSnapshotAge           = gauge("dcs_device_snapshot_age_seconds", "How old that is; 0 where the clock says that it is yet to come.", "source")
	DeviceSnapshotAhead         = gauge("dcs_device_snapshot_ahead_seconds", "How far in the future that is: the clock was ahead then, or is behind now.", "source")
	DeviceSnapshotDamaged       = gauge("dcs_device_snapshot_damaged", "1 if the snapshot of the source is damaged: devices in the damaged part get no answer.", "source")
	DeviceChangesDurable        = gauge("dcs_device_changes_durable", "1 if changes of devices are on disk when they are served; 0 if they would be lost with the process.")
	DeviceChanges               = counter("dcs_device_changes_total", "Changes of devices that a source has told.", "source")
	DeviceAsked                 = counter("dcs_device_asked_total", "Devices that a source was asked for because they were not known.", "source")
	DeviceFound                 = counter("dcs_device_found_total", "Of these, devices that it knew.", "source")
	DeviceQuestionsWaiting      = gauge("dcs_device_questions_waiting", "Devices that wait for the sources to be asked for them.")
	DeviceQuestionsWait         = counter("dcs_device_questions_wait_seconds_total", "Time that questions have waited; divided by the rate of dcs_device_questions_total, how long one does.")
	DeviceQuestions             = counter("dcs_device_questions_total", "Devices that the sources were asked for, all sources together.")
	DeviceQuestionsDropped      = counter("dcs_device_questions_dropped_total", "Questions that were dropped because too many waited; those of the networks that ask most for devices that are not there go first.")
	HTTPRequests                = counter("dcs_http_requests_total", "Requests for boot files over HTTP, by status.", "code")
	HTTPConnections             = gauge("dcs_http_connections", "Connections for boot files over HTTP.")
	HTTPConnectionsLost         = counter("dcs_http_connections_lost_total", "Connections for boot files over HTTP that made room for another because they were idle or slow (cut), or found no place (turned_away).", "reason")
	AdminRefused                = counter("dcs_admin_refused_total", "Requests to the admin addresses that were refused: wrong_token, or unknown_caller (a change asked for over TCP with neither a token nor a client certificate).", "reason")
	LogLinesHeld                = counter("dcs_log_lines_held_total", "Log lines that were not written, because there were too many of their kind.")
	GCCycles                    = counter("go_gc_cycles_total", "Garbage collections that have ended.")
	Heap                        = gauge("go_memory_heap_bytes", "Memory in objects, live or not yet collected.")
	RuntimeMemory               = gauge("go_memory_total_bytes", "Memory that the runtime has from the system.")
)

// Table returns the server's own metrics. Those of the Go runtime and the process are beside them: [Runtime].
func Table() []*Metric { return slices.Clone(table) }

func counter(name, help string, labels ...string) *Metric {
	return declare(Metric{Name: name, Type: Counter, Labels: labels, Help: help})
}

func gauge(name, help string, labels ...string) *Metric {
	return declare(Metric{Name: name, Type: Gauge, Labels: labels, Help: help})
}

func histogram(name, help string, labels ...string) *Metric {
	return declare(Metric{Name: name, Type: Histogram, Labels: labels, Help: help})
}

func declare(m Metric) *Metric {
	table = append(table, &m)
	return &m
}
