/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Token buckets. */
#ifndef DCS_LIMIT_H
#define DCS_LIMIT_H

#include "abi.h"

/* A bucket is one word: the time at which it is full again (the generic cell rate algorithm, ITU-T I.371). One word can
 * be exchanged atomically, where a count and a time beside it would need a lock.
 *
 * take returns the bucket after one token is taken from it at the time now, or, if there is none, unchanged. A token
 * comes every interval ns, below 2^32; burst tokens, 1 to 2^20, fill the bucket. A bucket that was
 * filled by another rate is no emptier than empty by this one. */
static __always_inline __u64 take(__u64 bucket, __u64 now, __u64 interval, __u64 burst, bool *taken)
{
	__u64 empty = now + burst * interval;

	if (bucket < now)
		bucket = now;
	if (bucket > empty)
		bucket = empty;
	*taken = bucket - now <= (burst - 1) * interval;
	return *taken ? bucket + interval : bucket;
}

/* A rate in one word, so that it changes at once: burst << 32 | interval; 0: no limit. */
static __always_inline bool take_shared(__u64 *bucket, __u64 now, __u64 rate)
{
	/* A source whose packets come by several queues at once may lose the race for its own bucket; four times in a row,
	 * and it floods. */
	for (int i = 0; i < 4; i++) {
		bool taken;
		__u64 old = *(volatile __u64 *)bucket;
		__u64 new = take(old, now, (__u32)rate, rate >> 32, &taken);

		if (new == old)
			return taken;
		if (__sync_val_compare_and_swap(bucket, old, new) == old)
			return taken;
	}
	return false;
}

/* Buckets of the sources that asked last. A source that has been forgotten, because so many others have asked since, begins
 * with a full one. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1 << 18);
	__type(key, struct address);
	__type(value, __u64);
} sources SEC(".maps");

static __always_inline bool limit_allows(const struct address *source, __u64 now, __u64 rate)
{
	__u64 *bucket, first;
	bool taken;

	if (rate == 0)
		return true;
	bucket = bpf_map_lookup_elem(&sources, source);
	if (bucket)
		return take_shared(bucket, now, rate);
	first = take(0, now, (__u32)rate, rate >> 32, &taken);
	/* If another processor was faster, or there is no memory, this packet is let through for nothing. */
	bpf_map_update_elem(&sources, source, &first, BPF_NOEXIST);
	return taken;
}

#endif
