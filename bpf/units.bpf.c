//go:build ignore

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The parts of the programs that take more than a frame, for tests: arguments are in the frame, and so are results. */
#include "abi.h"
#include "limit.h"
#include "tid.h"

struct take_call {
	__u64 bucket, now, interval, burst, taken;
};

struct limit_call {
	struct address source;
	__u64 v4, now, rate, allowed;
};

struct worker_call {
	struct address source;
	__u32 v4, n, worker, zero;
};

struct hash_call {
	struct address client;
	__u64 key0, key1, port, hash;
};

/* Makes clang describe them to the generator of the Go types. */
const struct take_call *take_calls;
const struct limit_call *limit_calls;
const struct worker_call *worker_calls;
const struct hash_call *hash_calls;

SEC("xdp")
int call_take(struct xdp_md *ctx)
{
	struct take_call *c = (void *)(long)ctx->data;
	bool taken;

	if ((void *)(c + 1) > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	c->bucket = take(c->bucket, c->now, c->interval, c->burst, &taken);
	c->taken = taken;
	return XDP_PASS;
}

SEC("xdp")
int call_limit(struct xdp_md *ctx)
{
	struct limit_call *c = (void *)(long)ctx->data;
	struct address source;

	if ((void *)(c + 1) > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	source = c->source;
	c->allowed = limit_allows(&source, c->v4, c->now, c->rate);
	return XDP_PASS;
}

SEC("xdp")
int call_worker(struct xdp_md *ctx)
{
	struct worker_call *c = (void *)(long)ctx->data;

	if ((void *)(c + 1) > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	c->worker = worker_of(&c->source, c->v4, c->n);
	return XDP_PASS;
}

SEC("xdp")
int call_hash(struct xdp_md *ctx)
{
	struct hash_call *c = (void *)(long)ctx->data;
	struct address client;

	if ((void *)(c + 1) > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	client = c->client;
	c->hash = client_hash(c->key0, c->key1, &client, c->port);
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
