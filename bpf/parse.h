/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Finds the UDP datagram in a frame. */
#ifndef DCS_PARSE_H
#define DCS_PARSE_H

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>

#include "abi.h"

enum {
	MAX_TAGS = 2,       /* VLAN tags: 802.1Q, or 802.1ad around it */
	MAX_EXTENSIONS = 4, /* IPv6 extension headers: each supported one may occur once, destination options twice */
};

struct datagram {
	struct address source;
	struct address target;
	__u16 source_port;
	__u16 target_port;
	bool v4;
	struct tags tags;
	void *ip;         /* the IP header */
	void *payload;    /* after the UDP header; may be the frame's end */
	__u32 offset;     /* of the payload in the frame */
	__u32 length;     /* of the payload, according to UDP; negative if UDP's length is less than its header */
	__u32 ip_options; /* offset of the IPv4 options; 0: none */
	__u32 ip_end;     /* offset of the datagram's end, according to IP */
};

struct vlan_tag {
	__be16 control;
	__be16 protocol;
};

struct extension {
	__u8 next;
	__u8 length;   /* in units of 8 octets, not counting the first 8 */
	__u8 routing;  /* type of a routing header */
	__u8 segments; /* segments left of a routing header */
};

/* parse_udp finds the UDP datagram in a frame whose first part is data to end. It returns PASS_SOCKET if there is
 * one, else why the frame is not for us. It does not check lengths: they matter only if the port is ours. */
static __always_inline enum verdict parse_udp(void *data, void *end, __u64 mac, __u64 other, struct datagram *d)
{
	struct ethhdr *eth = data;
	void *at = eth + 1;
	struct udphdr *udp;
	__be16 protocol;
	__u8 next;

	if (at > end)
		return PASS_OTHER;
	/* The server ignores broadcasts and multicasts (RFC 1123, section 4.2.3.5), and a device in promiscuous mode
	 * also receives frames for others. */
	if (eth->h_dest[0] & 1)
		return PASS_OTHER;
	if (mac) {
		__u64 to = 0;

		__builtin_memcpy(&to, eth->h_dest, ETH_ALEN);
		if (to != mac && to != other)
			return PASS_OTHER;
	}
	protocol = eth->h_proto;
#pragma unroll
	for (int i = 0; i < MAX_TAGS; i++) {
		struct vlan_tag *tag = at;

		if (protocol != bpf_htons(ETH_P_8021Q) && protocol != bpf_htons(ETH_P_8021AD))
			break;
		at = tag + 1;
		if (at > end)
			return PASS_OTHER;
		if (tag->control & bpf_htons(0xfff)) {
			__u32 number = bpf_ntohs(protocol) << 16 | (bpf_ntohs(tag->control) & 0xfff);

			if (d->tags.outer)
				d->tags.inner = number;
			else
				d->tags.outer = number;
		}
		protocol = tag->protocol;
	}

	if (protocol == bpf_htons(ETH_P_IP)) {
		struct iphdr *ip = at;

		if ((void *)(ip + 1) > end || ip->version != 4 || ip->ihl < 5)
			return PASS_OTHER;
		if (ip->frag_off & bpf_htons(0x3fff)) /* more fragments, or an offset */
			return PASS_FRAGMENT;
		if (ip->protocol != IPPROTO_UDP)
			return PASS_OTHER;
		d->v4 = true;
		d->ip = ip;
		d->source = (struct address){{0, 0, bpf_htonl(0xffff), ip->saddr}};
		d->target = (struct address){{0, 0, bpf_htonl(0xffff), ip->daddr}};
		d->ip_end = at - data + bpf_ntohs(ip->tot_len);
		if (ip->ihl > 5)
			d->ip_options = (void *)(ip + 1) - data;
		at += ip->ihl * 4;
	} else if (protocol == bpf_htons(ETH_P_IPV6)) {
		struct ipv6hdr *ip = at;

		if ((void *)(ip + 1) > end || ip->version != 6)
			return PASS_OTHER;
		d->v4 = false;
		d->ip = ip; /* otherwise the verifier, which does not tell the families apart, would miss a pointer later */
		__builtin_memcpy(&d->source, &ip->saddr, sizeof(d->source));
		__builtin_memcpy(&d->target, &ip->daddr, sizeof(d->target));
		at = ip + 1;
		d->ip_end = at - data + bpf_ntohs(ip->payload_len);
		next = ip->nexthdr;
#pragma unroll
		for (int i = 0; i < MAX_EXTENSIONS; i++) {
			struct extension *x = at;

			if (next != IPPROTO_HOPOPTS && next != IPPROTO_ROUTING && next != IPPROTO_DSTOPTS)
				break;
			if ((void *)(x + 1) > end)
				return PASS_OTHER;
			/* Segments left: this is not the final destination. */
			if (next == IPPROTO_ROUTING && x->segments)
				return PASS_OTHER;
			next = x->next;
			at += (x->length + 1) * 8;
		}
		if (next == IPPROTO_FRAGMENT)
			return PASS_FRAGMENT;
		if (next != IPPROTO_UDP)
			return PASS_OTHER;
	} else {
		return PASS_OTHER;
	}

	udp = at;
	if ((void *)(udp + 1) > end)
		return PASS_OTHER;
	d->source_port = bpf_ntohs(udp->source);
	d->target_port = bpf_ntohs(udp->dest);
	d->payload = udp + 1;
	d->offset = d->payload - data;
	d->length = bpf_ntohs(udp->len) - sizeof(*udp);
	return PASS_SOCKET;
}

/* true_lengths reports whether a frame of so many octets holds the datagram that its headers describe. Trailing
 * octets are allowed: Ethernet pads. */
static __always_inline bool true_lengths(const struct datagram *d, __u32 frame)
{
	return d->ip_end <= frame && (__s32)d->length >= 0 && d->offset + d->length <= d->ip_end;
}

/* true_checksum reports whether the checksum of an IPv4 header is correct, which every host must verify (RFC 1122,
 * section 3.2.1.2). The checksum of UDP is not verified: it covers the payload, and is missing in frames that never
 * left this machine. */
static __always_inline bool true_checksum(const struct datagram *d, void *end)
{
	struct iphdr *ip = d->ip;
	__u16 *word = d->ip;
	__u32 sum = 0;

	if (!d->v4)
		return true;
	if ((void *)(ip + 1) > end)
		return false;
#pragma unroll
	for (int i = 0; i < 10; i++)
		sum += word[i];
	for (int i = 10; i < 30 && i < ip->ihl * 2; i++) {
		if ((void *)(word + i + 1) > end)
			return false;
		sum += word[i];
	}
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return sum == 0xffff;
}

enum { MAX_OPTIONS = 40 }; /* octets of an IPv4 header */

/* load_octets loads 1 to most octets of a frame, and reports whether it did. The verifier of Linux 6.1 derives both
 * bounds from one comparison of the offset of the last octet, which the compiler must not split. */
static __always_inline bool load_octets(struct xdp_md *ctx, __u32 offset, void *to, __u32 length, __u32 most)
{
	__u32 last = length - 1;

	opaque(last);
	return last < most && bpf_xdp_load_bytes(ctx, offset, to, last + 1) == 0;
}

/* has_source_route reports whether so many octets of IPv4 options at that offset contain a source route. Its offsets
 * are constants, and it is verified on its own: otherwise the verifier follows every path through a list of options. */
__noinline int has_source_route(struct xdp_md *ctx, __u32 offset, __u32 length)
{
	enum { END = 0, NOP = 1, LSRR = 131, SSRR = 137 };
	__u8 octets[MAX_OPTIONS + 1] = {};
	__u32 next = 0;

	if (!load_octets(ctx, offset, octets, length, MAX_OPTIONS))
		return 0;
#pragma unroll
	for (__u32 i = 0; i < MAX_OPTIONS; i++) {
		if (i != next)
			continue;
		if (octets[i] == LSRR || octets[i] == SSRR)
			return 1;
		if (octets[i] == NOP)
			next = i + 1;
		else if (octets[i] == END || octets[i + 1] < 2)
			return 0;
		else
			next = i + octets[i + 1];
	}
	return 0;
}

/* source_routed reports whether an IPv4 header has a loose or strict source route (RFC 791, section 3.1): the sender
 * chose the packet's path and need not have its source address. Hosts drop such packets by default. */
static __always_inline bool source_routed(struct xdp_md *ctx, const struct datagram *d)
{
	__u32 at = d->ip_options;

	return at && has_source_route(ctx, at, d->offset - sizeof(struct udphdr) - at);
}

static __always_inline bool is_loopback(const struct address *a, bool v4)
{
	if (v4)
		return bpf_ntohl(a->word[3]) >> 24 == 127;
	return !a->word[0] && !a->word[1] && !a->word[2] && a->word[3] == bpf_htonl(1);
}

/* possible_source reports whether a host could have sent from this address and port (RFC 1122, section 3.2.1.3; RFC
 * 4291, sections 2.5 and 2.7; RFC 1112, section 4), over a wire or, if inside, by the loopback interface.
 * fastpath/source does the same in Go; both are tested with testdata/sources.csv. */
static __always_inline bool possible_source(const struct datagram *d, bool inside)
{
	const __u32 *word = d->source.word, *to = d->target.word;
	bool loopback = is_loopback(&d->source, d->v4);

	if (d->source_port == 0)
		return false;
	if (loopback != is_loopback(&d->target, d->v4) || (loopback && !inside))
		return false;
	if (word[3] == to[3] && word[2] == to[2] && word[1] == to[1] && word[0] == to[0] && d->source_port == d->target_port)
		return false;
	if (d->v4) {
		__u32 first = bpf_ntohl(word[3]) >> 24;

		return first != 0 && first < 224;
	}
	if (bpf_ntohl(word[0]) >> 24 == 0xff)
		return false;
	if (word[0] || word[1])
		return true;
	return word[2] ? word[2] != bpf_htonl(0xffff) : word[3] != 0;
}

#endif
