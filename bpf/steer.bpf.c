//go:build ignore

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Filters the packets for the server out of the traffic of an interface, drops invalid ones, and steers the rest to
 * their worker. Everything else, and whatever is in doubt, goes to the kernel as without this program. */
#include "abi.h"
#include "acl.h"
#include "capture.h"
#include "limit.h"
#include "own.h"
#include "parse.h"

enum {
	TFTP_RRQ = 1,
	TFTP_WRQ = 2,
	TFTP_OACK = 6,
};

enum {
	TRANSFERS_V4 = 1,
	TRANSFERS_V6 = 2,
};

/* Each interface has a program of its own: this section is per interface, as are xsks and tallies. Everything else
 * is shared. */
#define OF_INTERFACE SEC(".data.interface")

/* Hardware addresses that frames may be for, in network order, from the lowest octet: that of the interface, and
 * that of the bond it is a member of. Without the first: any. */
__u64 own_mac OF_INTERFACE = 0;
__u64 bond_mac OF_INTERFACE = 0;

/* The interface is a standby member of a bond: the kernel drops what it receives. */
bool standby OF_INTERFACE = false;

/* tagged is not empty; otherwise it need not be looked up. */
bool vlan_addresses OF_INTERFACE = false;

__u32 workers OF_INTERFACE = 0; /* that frames are spread over; 0: not spread */

/* Settings that the loader may change at any time. */
__u64 source_rate;         /* limit of requests from one source: burst << 32 | ns between them; 0: no limit */
__u64 sample_rate;         /* limit of samples per verdict and processor, in the same form; 0: no samples */
__u32 cpu_of[MAX_WORKERS]; /* processor of each worker */

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_PLACES);
	__type(key, struct place);
	__type(value, __u8);
} places SEC(".maps");

/* Transfer ports: each bit is an address family. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1 << 16);
	__type(key, __u32);
	__type(value, __u8);
} transfers SEC(".maps");

/* VLAN tags, outermost first, for which the host has a device. The kernel would drop frames with other tags. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_VLANS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct tags);
	__type(value, __u8);
} vlans SEC(".maps");

/* Addresses of the host that only its VLANs on this interface have. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_PLACES);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct address);
	__type(value, __u8);
} tagged SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, MAX_XSKS);
	__type(key, __u32);
	__type(value, __u32);
} xsks SEC(".maps");

/* The loader sets its size: the number of possible processors. */
struct {
	__uint(type, BPF_MAP_TYPE_CPUMAP);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct bpf_cpumap_val);
} cpus SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, VERDICTS);
	__type(key, enum verdict);
	__type(value, struct tally);
} tallies SEC(".maps");

/* Samples of dropped datagrams. If nobody reads the ring it fills up and later samples are missing; the tallies are
 * complete. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 17);
} drops SEC(".maps");

/* Makes clang describe the records of both rings, which no map definition names, to the generator of the Go types. */
const struct drop *samples_are;
const struct captured *captures_are;

/* known_vlan reports whether the host has a device for the tags of a frame. A tag of VLAN 0 only carries a priority.
 * A frame without tags for an address of a VLAN may have had them in its socket buffer, as frames from a veth do:
 * leave it to the kernel. */
static __always_inline bool known_vlan(const struct datagram *d)
{
	const __u8 *known;

	if (!d->tags.outer) {
		if (!vlan_addresses)
			return true;
		known = bpf_map_lookup_elem(&tagged, &d->target);
		return !known || !*known;
	}
	known = bpf_map_lookup_elem(&vlans, &d->tags);
	return known && *known;
}

/* ours reports whether requests, or packets of running transfers, are accepted at the datagram's destination. */
static __always_inline bool ours(const struct datagram *d, bool *requests)
{
	struct place place = {.address = d->target, .port = d->target_port};
	__u32 port = d->target_port;
	__u8 *families;

	*requests = true;
	if (bpf_map_lookup_elem(&places, &place))
		return true;
	*requests = false;
	families = bpf_map_lookup_elem(&transfers, &port);
	if (!families || !(*families & (d->v4 ? TRANSFERS_V4 : TRANSFERS_V6)))
		return false;
	place.port = 0;
	place.transfers = 1;
	return bpf_map_lookup_elem(&places, &place) != NULL;
}

/* judge decides about a datagram that is ours. A request that cannot be parsed is not dropped here: the server
 * answers it with an ERROR, which its sender waits for. It costs a token like any other. */
static __always_inline enum verdict judge(struct xdp_md *ctx, void *end, const struct datagram *d, bool requests)
{
	__u8 *tftp = d->payload;

	if (!true_lengths(d, bpf_xdp_get_buff_len(ctx)))
		return DROP_LENGTH;
	if (!true_checksum(d, end))
		return DROP_CHECKSUM;
	if (!possible_source(d, inside) || source_routed(ctx, d) || taken_address(&d->source))
		return DROP_SOURCE;
	if (d->length < 2)
		return DROP_TFTP;
	if ((void *)(tftp + 2) > end) /* in a later buffer of the frame */
		return PASS_SOCKET;
	if (tftp[0] || tftp[1] < TFTP_RRQ || tftp[1] > TFTP_OACK)
		return DROP_TFTP;
	if (tftp[1] != TFTP_RRQ && tftp[1] != TFTP_WRQ && tftp[1] != TFTP_OACK && d->length < 4)
		return DROP_TFTP;
	if (!acl_allows(&d->source, d->v4))
		return DROP_ACL;
	/* Packets of running transfers are never limited: only requests cost tokens, and not the host's own. */
	if (requests && !inside && tftp[1] <= TFTP_WRQ && source_rate && !limit_allows(&d->source, d->v4, bpf_ktime_get_ns(), source_rate))
		return DROP_RATE;
	return PASS_SOCKET;
}

/* steer sends a valid datagram to its worker. */
static __always_inline enum verdict steer_to(struct xdp_md *ctx, const struct datagram *d, int *action)
{
	__u32 worker, n = workers;

	*action = bpf_redirect_map(&xsks, ctx->rx_queue_index, XDP_PASS);
	if (*action == XDP_REDIRECT)
		return STEER_XSK;
	if (n == 0 || n > MAX_WORKERS)
		return PASS_SOCKET;
	worker = worker_of(&d->source, d->v4, n);
	opaque(worker);
	if (worker >= MAX_WORKERS)
		return PASS_SOCKET;
	*action = bpf_redirect_map(&cpus, cpu_of[worker], XDP_PASS);
	return *action == XDP_REDIRECT ? STEER_CPU : PASS_SOCKET;
}

/* sample puts a dropped datagram into the ring for samples. Each verdict has its own bucket, so that a flood of one
 * kind does not hide the others. */
static __always_inline void sample(struct xdp_md *ctx, const struct datagram *d, enum verdict verdict, struct tally *tally)
{
	__u64 now, rate = sample_rate;
	__u32 shown, there;
	struct drop *drop;
	bool taken;

	if (rate == 0)
		return;
	now = bpf_ktime_get_ns();
	tally->sampled = take(tally->sampled, now, (__u32)rate, rate >> 32, &taken);
	if (!taken)
		return;
	drop = bpf_ringbuf_reserve(&drops, sizeof(*drop), 0);
	if (!drop)
		return;
	__builtin_memset(drop, 0, sizeof(*drop));
	drop->time = now;
	drop->source = d->source;
	drop->target = d->target;
	drop->source_port = d->source_port;
	drop->target_port = d->target_port;
	drop->length = (__s32)d->length < 0 ? 0 : d->length;
	drop->verdict = verdict;
	there = bpf_xdp_get_buff_len(ctx) - d->offset;
	shown = drop->length < there ? drop->length : there;
	if (shown > SHOWN)
		shown = SHOWN;
	if (load_octets(ctx, d->offset, drop->payload, shown, SHOWN))
		drop->shown = shown;
	bpf_ringbuf_submit(drop, 0);
}

/* Accepts frames of several buffers; otherwise it could not be attached in native mode with a large MTU. */
SEC("xdp.frags")
int steer(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	struct datagram d = {};
	struct tally *tally;
	enum verdict verdict;
	int action = XDP_PASS;
	bool requests;

	verdict = standby ? PASS_OTHER : parse_udp(data, end, own_mac, bond_mac, &d);
	if (verdict == PASS_SOCKET && !(ours(&d, &requests) && known_vlan(&d)))
		verdict = PASS_OTHER;
	if (verdict == PASS_SOCKET)
		verdict = judge(ctx, end, &d, requests);
	if (verdict == PASS_SOCKET)
		verdict = steer_to(ctx, &d, &action);
	tally = bpf_map_lookup_elem(&tallies, &verdict);
	if (tally) {
		tally->packets++;
		tally->octets += bpf_xdp_get_buff_len(ctx);
	}
	if (capture_number && verdict >= STEER_XSK)
		capture(ctx, d.source.word[0] | (__u64)d.source.word[1] << 32, d.source.word[2] | (__u64)d.source.word[3] << 32, verdict);
	if (verdict < DROP_LENGTH)
		return action;
	if (tally)
		sample(ctx, &d, verdict, tally);
	return XDP_DROP;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
