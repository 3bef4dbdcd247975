/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Addresses that no other host can have. */
#ifndef DCS_OWN_H
#define DCS_OWN_H

#include "abi.h"

enum {
	MAX_OWN = 8192, /* addresses of the host, and broadcast addresses of its subnets */
	OWN_HINTS = 64, /* words */
};

/* The interface is the loopback: the host itself sent what it receives, from any of its addresses. */
bool inside SEC(".data.interface") = false;

/* A bit for the last octets of each address, so that most other sources take one lookup. */
__u64 own_hints[OWN_HINTS];

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_OWN);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct address);
	__type(value, __u8);
} own SEC(".maps");

/* taken_address reports whether a source over the wire has an address of this host, or a broadcast address of one of
 * its subnets. */
static __always_inline bool taken_address(const struct address *source)
{
	__u32 last = bpf_ntohl(source->word[3]) % (64 * OWN_HINTS);

	if (inside || !(own_hints[last / 64] >> last % 64 & 1))
		return false;
	return bpf_map_lookup_elem(&own, source) != NULL;
}

#endif
