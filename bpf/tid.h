/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The port of its worker that a client is answered from. */
#ifndef DCS_TID_H
#define DCS_TID_H

#include "abi.h"

#define ROTATE(x, b) ((x) << (b) | (x) >> (64 - (b)))

struct sip {
	__u64 v0, v1, v2, v3;
};

static __always_inline void sip_rounds(struct sip *s, int n)
{
#pragma unroll
	for (int i = 0; i < n; i++) {
		s->v0 += s->v1;
		s->v2 += s->v3;
		s->v1 = ROTATE(s->v1, 13) ^ s->v0;
		s->v3 = ROTATE(s->v3, 16) ^ s->v2;
		s->v0 = ROTATE(s->v0, 32);
		s->v2 += s->v1;
		s->v0 += s->v3;
		s->v1 = ROTATE(s->v1, 17) ^ s->v2;
		s->v3 = ROTATE(s->v3, 21) ^ s->v0;
		s->v2 = ROTATE(s->v2, 32);
	}
}

static __always_inline void sip_word(struct sip *s, __u64 m)
{
	s->v3 ^= m;
	sip_rounds(s, 2);
	s->v0 ^= m;
}

/* client_hash is SipHash-2-4 (Aumasson and Bernstein, 2012) of three words: the address as in memory, and the port.
 * tid.Key.Hash in Go computes the same. */
static __always_inline __u64 client_hash(__u64 k0, __u64 k1, const struct address *a, __u16 port)
{
	struct sip s = {
		k0 ^ 0x736f6d6570736575ULL,
		k1 ^ 0x646f72616e646f6dULL,
		k0 ^ 0x6c7967656e657261ULL,
		k1 ^ 0x7465646279746573ULL,
	};

	sip_word(&s, a->word[0] | (__u64)a->word[1] << 32);
	sip_word(&s, a->word[2] | (__u64)a->word[3] << 32);
	sip_word(&s, port);
	sip_word(&s, 24ULL << 56);
	s.v2 ^= 0xff;
	sip_rounds(&s, 4);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

/* tid_index returns which of so many ports the client with that hash is answered from. tid.Pick in Go computes the
 * same. */
static __always_inline __u32 tid_index(__u64 hash, __u32 ports)
{
	return (__u64)(__u32)hash * ports >> 32;
}

#endif
