/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The ACL. */
#ifndef DCS_ACL_H
#define DCS_ACL_H

#include "abi.h"

struct acl_trie {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, MAX_PREFIXES);
	__uint(map_flags, BPF_F_NO_PREALLOC); /* required for a trie; if a long list does not fit, the old one stays in effect */
	__type(key, struct acl_key);
	__type(value, __u8);
} acl_even SEC(".maps"), acl_odd SEC(".maps");

/* The list in effect; without one everyone is allowed. A new list is written into the trie that no program uses, and
 * then put here; the kernel returns from that once no program uses the old one. Both tries are created at start:
 * creating a map takes a capability that the server may have dropped since. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, __u32);
	__array(values, struct acl_trie);
} acl SEC(".maps");

static __always_inline bool acl_allows(const struct address *source, bool v4)
{
	struct acl_key key = acl_key_of(source, v4);
	__u32 slot = 0;
	void *trie = bpf_map_lookup_elem(&acl, &slot);

	if (!trie)
		return true;
	return bpf_map_lookup_elem(trie, &key) != NULL;
}

#endif
