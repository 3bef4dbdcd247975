/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Copies of frames for captures: packet sockets do not see what XDP takes. */
#ifndef DCS_CAPTURE_H
#define DCS_CAPTURE_H

#include <linux/if_ether.h>
#include <stddef.h>

#include "abi.h"

/* The running capture, set after its other settings; 0: none. Records carry the number, so that those of an earlier
 * capture are not read. */
__u32 capture_number;

__u32 capture_snap;      /* most octets of a frame, at least those of the Ethernet header */
__u64 capture_mac;       /* source address in the Ethernet header, as own_mac; 0: any */
__u64 capture_source[2]; /* source address, as in struct address */
__u64 capture_mask[2];   /* its relevant bits */
bool capture_v6;         /* IPv6 only; needed for ::/0 */

/* Frames that passed the filter of the capture, and those of them without room in the ring. */
__u64 capture_passed SEC(".data.interface") = 0;
__u64 capture_lost SEC(".data.interface") = 0;

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} captures SEC(".maps");

/* Buffer for a record: a record of variable length cannot be reserved in the ring. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct captured);
} capturing SEC(".maps");

/* capture copies a frame from that source if the filter passes it. It is a global function, so that it is verified
 * once, not on each path to a verdict. */
__noinline int capture(struct xdp_md *ctx, __u64 high, __u64 low, __u32 verdict)
{
	struct ethhdr *eth = (void *)(long)ctx->data;
	__u32 shown, zero = 0;
	struct captured *c;
	__u64 mac = 0;

	if ((void *)(eth + 1) > (void *)(long)ctx->data_end)
		return 0;
	if ((high & capture_mask[0]) != capture_source[0] || (low & capture_mask[1]) != capture_source[1])
		return 0;
	if (capture_v6 && !high && (__u32)low == bpf_htonl(0xffff))
		return 0;
	__builtin_memcpy(&mac, eth->h_source, ETH_ALEN);
	if (capture_mac && mac != capture_mac)
		return 0;
	c = bpf_map_lookup_elem(&capturing, &zero);
	if (!c)
		return 0;
	c->time = bpf_ktime_get_ns();
	c->capture = capture_number;
	c->interface = ctx->ingress_ifindex;
	c->length = bpf_xdp_get_buff_len(ctx);
	c->verdict = verdict;
	shown = c->length < capture_snap ? c->length : capture_snap;
	opaque(shown);
	if (shown < ETH_HLEN) /* always at least this long */
		shown = ETH_HLEN;
	if (shown > MAX_SNAP)
		shown = MAX_SNAP;
	if (bpf_xdp_load_bytes(ctx, 0, c->octets, shown))
		return 0;
	c->shown = shown;
	__sync_fetch_and_add(&capture_passed, 1);
	/* The reader polls the ring. */
	if (bpf_ringbuf_output(&captures, c, offsetof(struct captured, octets) + shown, BPF_RB_NO_WAKEUP))
		__sync_fetch_and_add(&capture_lost, 1);
	return 0;
}

#endif
