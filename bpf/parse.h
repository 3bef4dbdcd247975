/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* From a frame to a UDP datagram. */
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
	MAX_EXTENSIONS = 4, /* extension headers of IPv6: each of those known here may stand once, destination options twice */
};

struct datagram {
	struct address source;
	struct address target;
	__u16 source_port;
	__u16 target_port;
	bool v4;
	void *ip;        /* the IP header */
	void *payload;   /* behind the UDP header; may be the frame's end */
	__u32 offset;    /* of the payload in the frame */
	__u32 length;    /* of the payload, as UDP has it; less than 0 where UDP's length is less than its header */
	__u32 ip_end;    /* offset at which the datagram ends, as IP has it */
};

struct vlan_tag {
	__be16 control;
	__be16 protocol;
};

struct extension {
	__u8 next;
	__u8 length;   /* in 8 octets, the first 8 not counted */
	__u8 routing;  /* of a routing header: its type */
	__u8 segments; /* of a routing header: the stations that are left */
};

/* parse_udp finds the UDP datagram in a frame whose first part is data to end. It returns PASS_SOCKET if there
 * is one, else why the frame is not for us. Whether its lengths are true is not looked at yet: that is ours to
 * judge only if the port is. */
static __always_inline enum verdict parse_udp(void *data, void *end, __u64 mac, struct datagram *d)
{
	struct ethhdr *eth = data;
	void *at = eth + 1;
	struct udphdr *udp;
	__be16 protocol;
	__u8 next;

	if (at > end)
		return PASS_OTHER;
	/* The server is silent towards broadcasts and multicasts (RFC 1123, section 4.2.3.5), and a device that listens to
	 * everything also hears what is meant for others. */
	if (eth->h_dest[0] & 1)
		return PASS_OTHER;
	if (mac) {
		__u64 to = 0;

		__builtin_memcpy(&to, eth->h_dest, ETH_ALEN);
		if (to != mac)
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
		at += ip->ihl * 4;
	} else if (protocol == bpf_htons(ETH_P_IPV6)) {
		struct ipv6hdr *ip = at;

		if ((void *)(ip + 1) > end || ip->version != 6)
			return PASS_OTHER;
		d->v4 = false;
		d->ip = ip; /* or the verifier, which does not tell the families apart, would miss a pointer later */
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
			/* Stations left: it is not yet where it goes. */
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

/* true_lengths reports whether a frame of so many octets holds the datagram that its headers tell of. Octets behind it
 * are allowed: Ethernet pads. */
static __always_inline bool true_lengths(const struct datagram *d, __u32 frame)
{
	return d->ip_end <= frame && (__s32)d->length >= 0 && d->offset + d->length <= d->ip_end;
}

/* true_checksum reports whether the checksum of an IPv4 header is right, which RFC 1122, section 3.2.1.2, has every host
 * verify. That of UDP covers the payload, and a frame that never left this machine has none yet: it is not looked at. */
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

/* possible_source reports whether a host could have sent from this address and port (RFC 1122, section 3.2.1.3; RFC 4291,
 * sections 2.5 and 2.7). */
static __always_inline bool possible_source(const struct datagram *d)
{
	const __u32 *word = d->source.word;
	__u32 last = bpf_ntohl(word[3]);

	if (d->source_port == 0)
		return false;
	if (d->v4)
		return last >> 24 != 0 && last >> 24 != 127 && last >> 28 < 0xe;
	if (bpf_ntohl(word[0]) >> 24 == 0xff)
		return false;
	if (word[0] || word[1])
		return true;
	return word[2] ? word[2] != bpf_htonl(0xffff) : last > 1;
}

#endif
