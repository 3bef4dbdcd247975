package metrics

import "slices"

//go:generate go run ./document ../../dcs/doc/metrics.md

// table has every metric declared below, in that order.
var table []*Metric

// The server's metrics, each declared once, for the code that counts and the code that shows.
var (
	BuildInfo                   = gauge("dcs_build_info", "1, labelled with the versions of dcs and Go.", "version", "go")
	Ready                       = gauge("dcs_ready", "1 while the server is ready, as /readyz reports: it has started, is not draining, has an address of listen, and has a template or static file to serve.")
	ListenAddressUp             = gauge("dcs_listen_address_up", "1 if the host has the address of a configuration key (listen, admin, metrics, http) and the server listens on it.", "key", "address")
	Workers                     = gauge("dcs_workers", "Number of workers.")
	Requests                    = counter("dcs_requests_total", "Requests by result: file (a transfer began; reason sent_once: one block was sent without keeping a transfer, because half of all transfers were waiting for a first ACK), repeated (a repeated request: the block was sent again), error (an ERROR packet), malformed (also an ERROR packet) or dropped (no answer; the modem asks again).", "result", "reason")
	Faults                      = counter("dcs_faults_total", "Requests for which no file could be rendered, by reason, over TFTP and HTTP.", "reason")
	IdentityMismatches          = counter("dcs_identity_mismatches_total", "Requests that name a device and contradict its record: others_address (the address belongs to another device), elsewhere (the device has another address), other_device (the proxy names another device), two_cmts (the device was behind another CMTS less than a minute ago); logged, or refused with bind: refuse.", "reason", "result")
	Files                       = counter("dcs_files_total", "Files served, by kind of template, static files included, over TFTP and HTTP. HEAD requests do not count.", "kind")
	RequestWait                 = histogram("dcs_request_wait_seconds", "Time from a request's arrival in the kernel to the worker's batch, if the transport reports it.")
	RenderBatch                 = histogram("dcs_render_batch_seconds", "Time to render the whole batch of a request.")
	Answer                      = histogram("dcs_answer_seconds", "Time from a request's arrival in the kernel until its first answer was sent.")
	TransfersRunning            = gauge("dcs_transfers_running", "Running transfers.", "worker")
	TransfersEnded              = counter("dcs_transfers_ended_total", "Transfers by result: finished, gave_up (the client stopped responding), evicted (displaced before the client had acknowledged anything), overdue (it took too long, or needed too many retransmissions), retired (displaced when the table was full and the client silent), restarted (the client began again), probed (the client only wanted the size, or the file is empty), file_cut (the file was truncated in place), unreachable (the client closed its port), or the client's ERROR packet.", "result")
	TransfersUnanswered         = counter("dcs_transfers_unanswered_total", "Transfers that gave up without any acknowledgement: the client does not receive our packets, or its address was forged.")
	TransfersUnacknowledged     = counter("dcs_transfers_unacknowledged_total", "Transfers that gave up with only the last block unacknowledged: the client most likely has the file.")
	BlocksSent                  = counter("dcs_blocks_sent_total", "DATA packets sent, retransmissions included.")
	Retransmissions             = counter("dcs_retransmissions_total", "Windows sent again, by cause: timeout, window (the client reported a gap), request (the client asked again), path_mtu (a router reported that blocks are too long for the next link).", "cause")
	ReadRequests                = counter("dcs_read_requests_total", "Well-formed read requests that reached a worker, whatever their result.", "worker")
	PacketsReceived             = counter("dcs_packets_received_total", "Packets received by a worker.", "worker")
	PacketsSent                 = counter("dcs_packets_sent_total", "Packets sent by a worker.", "worker")
	PacketsIgnored              = counter("dcs_packets_ignored_total", "Packets that are not requests and belong to no running transfer, or repeat an earlier one.", "reason")
	OptionsInvalid              = counter("dcs_options_invalid_total", "Requests with an invalid value of a TFTP option; the option is ignored.")
	ReceiveDrops                = counter("dcs_receive_drops_total", "Packets dropped by the kernel because the worker was too slow.", "worker")
	SendErrors                  = counter("dcs_send_errors_total", "Packets that could not be sent.", "worker")
	XDPPackets                  = counter("dcs_xdp_packets_total", "Packets seen by the XDP program, by verdict.", "verdict")
	XDPBytes                    = counter("dcs_xdp_bytes_total", "Octets of these packets, link-layer headers included.", "verdict")
	XDPLost                     = counter("dcs_xdp_lost_total", "How often the XDP program was detached from its interface by others.")
	XSKPackets                  = counter("dcs_xsk_packets_total", "Packets of AF_XDP sockets, by what happened to them.", "queue", "what")
	XDPFallbacks                = counter("dcs_xdp_fallbacks_total", "How often an interface fell back to sockets because steered packets reached no worker.")
	XDPInterfaceAttached        = gauge("dcs_xdp_interface_attached", "1 while the XDP program is attached to the interface, possibly a member of a bond or team.", "interface", "bond")
	XDPInterfaceAFXDP           = gauge("dcs_xdp_interface_af_xdp", "1 while the interface's packets are received over AF_XDP.", "interface", "bond")
	CaptureRunning              = gauge("dcs_capture_running", "1 while a capture (dcs capture) is running.")
	CapturePackets              = counter("dcs_capture_packets_total", "Packets of captures: written, or lost for lack of space; counted when a capture ends.", "result")
	TransportInfo               = gauge("dcs_transport_info", "1 for each interface with an XDP program, or once if there is none, labelled with the transport, the mode of the program and the reason.", "transport", "mode", "interface", "reason")
	Capability                  = gauge("dcs_capability", "1 if the server uses this capability of the host, else 0, with the reason.", "name", "reason")
	LearnedNames                = gauge("dcs_learned_names", "Kinds of names in the learned table.")
	LearnedBytes                = gauge("dcs_learned_bytes", "Memory of the kinds of names in the learned table; bounded by learned_memory.")
	LearnedHits                 = counter("dcs_learned_hits_total", "Requests for known names for which nothing had to be learned.")
	LearnedMisses               = counter("dcs_learned_misses_total", "Kinds of names that had to be learned when they were requested.")
	LearnedEvictions            = counter("dcs_learned_evictions_total", "Kinds of names evicted from the learned table.")
	LibraryTemplates            = gauge("dcs_library_templates", "Templates in service.")
	LibraryStaticFiles          = gauge("dcs_library_static_files", "Static files in service.")
	LibraryStaticRefused        = gauge("dcs_library_static_refused", "Files that no template makes, mostly static ones, that a modem or its CMTS refuses: damaged, or signed with a secret that no CMTS holds.")
	LibraryStaticUnreadable     = gauge("dcs_library_static_unreadable", "Static files and directories that the last load could not read. Their names get no file, or the one loaded before.")
	LibraryWithheld             = gauge("dcs_library_withheld", "Templates with errors, and files that cannot be read; their names get ERROR 0.")
	LibraryWarnings             = gauge("dcs_library_warnings", "Warnings about the library in service.")
	LibraryLoadErrors           = gauge("dcs_library_load_errors", "Errors found by the last load of the library; while there are any, the previous library stays in service.")
	LibraryLastReloadSuccessful = gauge("dcs_library_last_reload_successful", "1 if the last load of the library succeeded.")
	LibraryLoadedTimestamp      = gauge("dcs_library_loaded_timestamp_seconds", "When the library in service was loaded, Unix time.")
	LibraryReloads              = counter("dcs_library_reloads_total", "Loads of the library, by result: ok or failed.", "result")
	SecretGeneration            = gauge("dcs_secret_generation", "Generation of the keyring; 0 if there is none.")
	Devices                     = gauge("dcs_devices", "Devices supplied by a source.", "source")
	DevicesDuplicate            = gauge("dcs_devices_duplicate", "Devices that a source has supplied more than once.", "source")
	DeviceSourceUp              = gauge("dcs_device_source_up", "1 if the last call to the source succeeded.", "source")
	DeviceSourceLoading         = gauge("dcs_device_source_loading", "1 while all devices of the source are being loaded.", "source")
	DeviceSourceHeld            = gauge("dcs_device_source_held", "1 while losses of the source are held back.", "source")
	DeviceChangesHeld           = gauge("dcs_device_changes_held", "Changes held back, in whole or in part, since the last accepted load.", "source")
	DeviceSnapshotTimestamp     = gauge("dcs_device_snapshot_timestamp_seconds", "When the data in service of a source was loaded, Unix time.", "source")
	DeviceSnapshotAge           = gauge("dcs_device_snapshot_age_seconds", "Age of the data in service of a source; 0 if the clock puts it in the future.", "source")
	DeviceSnapshotAhead         = gauge("dcs_device_snapshot_ahead_seconds", "How far in the future the data in service of a source is: the clock was ahead then, or is behind now.", "source")
	DeviceSnapshotDamaged       = gauge("dcs_device_snapshot_damaged", "1 if the snapshot of the source is damaged: devices in the damaged part get no answer.", "source")
	DeviceChangesDurable        = gauge("dcs_device_changes_durable", "1 if changes of devices are on disk before they are served; 0 if they would be lost with the process.")
	DeviceChanges               = counter("dcs_device_changes_total", "Device changes reported by a source.", "source")
	DeviceAsked                 = counter("dcs_device_asked_total", "Lookups of unknown devices at a source.", "source")
	DeviceFound                 = counter("dcs_device_found_total", "Lookups that found the device.", "source")
	DeviceQuestionsWaiting      = gauge("dcs_device_questions_waiting", "Lookups waiting for the sources.")
	DeviceQuestionsWait         = counter("dcs_device_questions_wait_seconds_total", "Time that lookups have waited; divided by the rate of dcs_device_questions_total, the mean wait.")
	DeviceQuestions             = counter("dcs_device_questions_total", "Lookups sent to the sources, all sources together.")
	DeviceQuestionsDropped      = counter("dcs_device_questions_dropped_total", "Lookups dropped because too many were waiting; those of networks with the most lookups of unknown devices are dropped first.")
	HTTPRequests                = counter("dcs_http_requests_total", "HTTP requests for boot files, by status.", "code")
	HTTPConnections             = gauge("dcs_http_connections", "HTTP connections for boot files.")
	HTTPConnectionsLost         = counter("dcs_http_connections_lost_total", "HTTP connections for boot files that were closed for another because they were idle or slow (cut), or not accepted (turned_away).", "reason")
	AdminRefused                = counter("dcs_admin_refused_total", "Refused requests to the admin addresses: wrong_token, or unknown_caller (a change requested over TCP with neither a token nor a client certificate).", "reason")
	LogLinesHeld                = counter("dcs_log_lines_held_total", "Log lines suppressed because there were too many of their kind.")
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
