//go:build ignore

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Answers every read request on a port where it arrives, by XDP_TX: the frame of the request becomes its answer. The
 * file consists of what stood there in the request, so that nothing is copied. */

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

const volatile __u16 port = 6969;
const volatile __u16 size = 400; /* octets of the block */

enum { RRQ = 1, DATA = 3 }; /* RFC 1350, section 5 */

struct packet {
	struct ethhdr eth;
	struct iphdr ip;
	struct udphdr udp;
	__be16 opcode, block;
} __attribute__((packed));

SEC("xdp")
int answer(struct xdp_md *ctx)
{
	struct packet *p = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;

	if ((void *)(p + 1) > end || p->eth.h_proto != bpf_htons(ETH_P_IP) || *(__u8 *)&p->ip != 0x45 ||
	    p->ip.protocol != IPPROTO_UDP || p->udp.dest != bpf_htons(port))
		return XDP_PASS;
	if (p->opcode != bpf_htons(RRQ))
		return XDP_DROP;
	int longer = (int)(sizeof(*p) + size) - (int)(ctx->data_end - ctx->data);
	if (longer && bpf_xdp_adjust_tail(ctx, longer))
		return XDP_ABORTED;
	p = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	if ((void *)(p + 1) > end)
		return XDP_ABORTED;

	__u8 mac[ETH_ALEN];
	__builtin_memcpy(mac, p->eth.h_dest, ETH_ALEN);
	__builtin_memcpy(p->eth.h_dest, p->eth.h_source, ETH_ALEN);
	__builtin_memcpy(p->eth.h_source, mac, ETH_ALEN);

	__be32 client = p->ip.saddr;
	__u16 length = sizeof(p->udp) + 4 + size;
	p->ip.saddr = p->ip.daddr;
	p->ip.daddr = client;
	p->ip.tot_len = bpf_htons(sizeof(p->ip) + length);
	p->ip.id = 0;
	p->ip.frag_off = bpf_htons(0x4000);
	p->ip.ttl = 64;
	p->ip.tos = 0;
	p->ip.check = 0;
	__u32 sum = 0;
	__u16 *word = (void *)p + sizeof(p->eth);
#pragma unroll
	for (int i = 0; i < (int)sizeof(p->ip) / 2; i++)
		sum += word[i];
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	p->ip.check = ~sum;

	__be16 from = p->udp.source;
	p->udp.source = p->udp.dest;
	p->udp.dest = from;
	p->udp.len = bpf_htons(length);
	p->udp.check = 0; /* none (RFC 768) */
	p->opcode = bpf_htons(DATA);
	p->block = bpf_htons(1);
	return XDP_TX;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
