//go:build ignore

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Directs packets of running transfers to one socket of their worker, whichever of its ports they arrive at, if it
 * is the port that their sender is answered from. Other senders are guessing; their packets are discarded. */
#include <linux/in.h>
#include <stddef.h>

#include "abi.h"
#include "tid.h"

enum {
	INET6 = 10,           /* AF_INET6 */
	IPV6_PORTS = 1 << 16, /* where IPv6's ports begin in the map */
};

/* A transfer port. For a port without an owner count is 0. */
struct tid_port {
	__u16 worker;
	__u16 index; /* among the worker's ports */
	__u16 count; /* number of the worker's ports */
	__u16 reserved;
};

/* Which of a worker's sockets of an address family gets a packet. */
enum tid_verdict {
	TID_RIGHT,
	TID_WRONG,
};

/* Makes clang describe it to the generator of the Go types. */
const struct tid_port *tid_ports;

volatile const __u64 key0;
volatile const __u64 key1;
volatile const struct address own[2]; /* what the ports of IPv4 and IPv6 are bound to; 0: any address */

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2 << 16);
	__type(key, __u32);
	__type(value, struct tid_port);
} ports SEC(".maps");

/* The loader sets its size: four sockets for each worker, for IPv4 and for IPv6 one that is read and one that
 * discards. */
struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} sockets SEC(".maps");

/* Packets that arrived at another port than their sender's. */
__u64 strays;

/* The verifier requires each field of the context to be read at its own offset. Compilers may combine reads
 * otherwise. */
#define LOAD(field)                                                                       \
	({                                                                                \
		__u32 v;                                                                  \
		asm volatile("%0 = *(u32 *)(%1 + %2)"                                     \
			     : "=r"(v)                                                    \
			     : "r"(ctx), "i"(offsetof(struct bpf_sk_lookup, field)));     \
		v;                                                                        \
	})
#define LOAD4(to, field)                \
	do {                            \
		(to)[0] = LOAD(field[0]); \
		(to)[1] = LOAD(field[1]); \
		(to)[2] = LOAD(field[2]); \
		(to)[3] = LOAD(field[3]); \
	} while (0)

/* at_home reports whether an address is the one that the ports are bound to. */
static __always_inline bool at_home(const volatile struct address *home, const struct address *a)
{
	if (!(home->word[0] | home->word[1] | home->word[2] | home->word[3]))
		return true;
	return home->word[0] == a->word[0] && home->word[1] == a->word[1] && home->word[2] == a->word[2] && home->word[3] == a->word[3];
}

SEC("sk_lookup")
int gather(struct bpf_sk_lookup *ctx)
{
	struct address client = {}, local = {};
	struct tid_port *p;
	struct bpf_sock *sk;
	__u32 port = ctx->local_port, verdict, at;
	bool v6 = ctx->family == INET6;
	long err;

	if (ctx->protocol != IPPROTO_UDP)
		return SK_PASS;
	if (v6)
		port |= IPV6_PORTS;
	p = bpf_map_lookup_elem(&ports, &port);
	if (!p || p->count == 0)
		return SK_PASS;
	if (v6) {
		LOAD4(client.word, remote_ip6);
		LOAD4(local.word, local_ip6);
	} else {
		client.word[2] = local.word[2] = bpf_htonl(0xffff);
		client.word[3] = LOAD(remote_ip4);
		local.word[3] = LOAD(local_ip4);
	}
	if (!at_home(&own[v6], &local))
		return SK_PASS;
	verdict = TID_RIGHT;
	if (tid_index(client_hash(key0, key1, &client, bpf_ntohs(ctx->remote_port)), p->count) != p->index) {
		verdict = TID_WRONG;
		__sync_fetch_and_add(&strays, 1);
	}
	at = p->worker * 4 + (v6 ? 2 : 0) + verdict;
	sk = bpf_map_lookup_elem(&sockets, &at);
	if (!sk)
		return SK_PASS;
	err = bpf_sk_assign(ctx, sk, 0);
	bpf_sk_release(sk);
	return err ? SK_DROP : SK_PASS;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
