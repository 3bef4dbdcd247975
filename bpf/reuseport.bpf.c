//go:build ignore

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Chooses among the workers' sockets at one address and port by the source address, as steer does. */
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <stddef.h>

#include "abi.h"

volatile const __u32 workers;

/* The loader sets its size: the number of workers. */
struct {
	__uint(type, BPF_MAP_TYPE_REUSEPORT_SOCKARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} sockets SEC(".maps");

SEC("sk_reuseport")
int choose(struct sk_reuseport_md *ctx)
{
	struct address source = {};
	bool v4 = ctx->eth_protocol == bpf_htons(ETH_P_IP);
	__u32 worker;
	long err;

	if (v4)
		err = bpf_skb_load_bytes_relative(ctx, offsetof(struct iphdr, saddr), &source.word[3], 4, BPF_HDR_START_NET);
	else
		err = bpf_skb_load_bytes_relative(ctx, offsetof(struct ipv6hdr, saddr), &source, 16, BPF_HDR_START_NET);
	/* Without a choice of ours the kernel makes one. */
	if (err)
		return SK_PASS;
	worker = worker_of(&source, v4, workers);
	bpf_sk_select_reuseport(ctx, &sockets, &worker, 0);
	return SK_PASS;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
