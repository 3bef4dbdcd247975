/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Token buckets. */
#ifndef DCS_LIMIT_H
#define DCS_LIMIT_H

#include "abi.h"

/* A bucket is one word: the time at which it is full again (generic cell rate algorithm, ITU-T I.371). A word can be
 * exchanged atomically; a count and a time would need a lock. take returns the bucket after taking one token at the
 * time now or, if there is none, unchanged. A token is added every interval ns, below 2^32; burst tokens, 1 to 2^20,
 * fill the bucket. A bucket that was filled at another rate counts as empty at most. */
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

/* A rate in one word, so that it changes atomically: burst << 32 | interval; 0: no limit. */
static __always_inline bool take_shared(__u64 *bucket, __u64 now, __u64 rate)
{
	/* A source whose packets arrive on several queues at once may lose the race for its own bucket. Four times in a
	 * row means that it floods. */
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

enum {
	WAYS = 4, /* buckets that a source can have: those of a cache line */
	MAX_EXEMPT = 1 << 16,
};

/* The bits of an address that identify a source. */
__u32 source_mask_v4 = 0xffffffff;
__u32 source_mask_v6[4] = {0xffffffff, 0xffffffff};

/* A secret, and the number of bucket sets, less one: a power of two, less one. */
__u64 source_keys[2];
__u32 source_sets;

/* Buckets of the most recent sources, without locks; in a flood of random sources each is a new one. A source is
 * identified by a keyed hash, as no sender may choose whose bucket it shares; for a source of one word, as by
 * default, the hash has no collisions. A source that was forgotten, because many others have asked since, starts
 * with a full bucket. fastpath/guard does the same in Go. */
struct source_set {
	__u64 source[WAYS];
	__u64 full[WAYS];
};

/* The loader sets its size. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct source_set);
} sources SEC(".maps");

/* With long bursts many sources are counted together, in a few buckets of each processor that stay in its near
 * cache. As long as they ask together for less than a sixteenth of the burst of one source, none is looked up.
 * Processors share the sixteenth, as a source's packets may reach all of them. guard.Sieve does the same in Go. */
enum { SIEVE_BUCKETS = 256 };

__u64 sieve_interval; /* ns for each request */
__u64 sieve_share;    /* how many ns a bucket may be filled; 0: no sieve */

struct sieve {
	__u64 full[SIEVE_BUCKETS];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sieve);
} sieves SEC(".maps");

static __always_inline bool sieve_passes(__u64 key, __u64 now)
{
	__u64 interval = sieve_interval, share = sieve_share, t, *full;
	struct sieve *sieve;
	__u32 zero = 0;

	if (share == 0)
		return false;
	sieve = bpf_map_lookup_elem(&sieves, &zero);
	if (!sieve)
		return false;
	full = &sieve->full[key >> 56];
	t = (*full > now ? *full : now) + interval;
	if (t > now + 2 * share + interval)
		t = now + 2 * share + interval;
	*full = t;
	return t - now <= share;
}

/* Sources without a rate limit. */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, MAX_EXEMPT);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct acl_key);
	__type(value, __u8);
} exempt SEC(".maps");

static __always_inline __u64 mix64(__u64 h)
{
	/* The finalizer of MurmurHash3. */
	h ^= h >> 33;
	h *= 0xff51afd7ed558ccdULL;
	h ^= h >> 33;
	h *= 0xc4ceb9fe1a85ec53ULL;
	h ^= h >> 33;
	return h;
}

static __always_inline __u64 source_key(const struct address *a, bool v4)
{
	__u64 h, hi = 0, lo = 0;

	if (v4) {
		hi = a->word[3] & source_mask_v4;
		lo = 1;
	} else {
		hi = (a->word[0] & source_mask_v6[0]) | (__u64)(a->word[1] & source_mask_v6[1]) << 32;
		lo = (a->word[2] & source_mask_v6[2]) | (__u64)(a->word[3] & source_mask_v6[3]) << 32;
	}
	h = mix64(mix64(hi ^ source_keys[0]) ^ lo ^ source_keys[1]);
	return h ? h : 1; /* 0 marks an unused bucket */
}

static __always_inline bool is_exempt(const struct address *source, bool v4)
{
	struct acl_key key = acl_key_of(source, v4);

	return bpf_map_lookup_elem(&exempt, &key) != NULL;
}

static __always_inline bool limit_allows(const struct address *source, bool v4, __u64 now, __u64 rate)
{
	__u64 key, full, old, least = ~0ULL;
	__u32 index, fullest = 0;
	struct source_set *set;

	if (rate == 0)
		return true;
	key = source_key(source, v4);
	if (sieve_passes(key, now))
		return true;
	index = key & source_sets;
	set = bpf_map_lookup_elem(&sources, &index);
	if (!set)
		return true;
	for (__u32 i = 0; i < WAYS; i++) {
		/* Exemptions are checked only when a source would be limited, which is rare. */
		if (*(volatile __u64 *)&set->source[i] == key)
			return take_shared(&set->full[i], now, rate) || is_exempt(source, v4);
		full = *(volatile __u64 *)&set->full[i];
		if (full < least) {
			fullest = i;
			least = full;
		}
	}
	/* Reuse the fullest bucket. The bucket of a source that floods is the emptiest and is therefore not forgotten. */
	fullest &= WAYS - 1;
	old = *(volatile __u64 *)&set->source[fullest];
	/* If another processor won the race, this packet passes without a token. */
	if (__sync_val_compare_and_swap(&set->source[fullest], old, key) == old)
		*(volatile __u64 *)&set->full[fullest] = now + (__u32)rate;
	return true;
}

#endif
