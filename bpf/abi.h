/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What the programs and their loader in Go share: verdicts, keys and values, settings, the choice of a worker. */
#ifndef DCS_ABI_H
#define DCS_ABI_H

#include <linux/bpf.h>
#include <linux/types.h>
#include <stdbool.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

/* Verdicts on frames. Each is counted. */
enum verdict {
	PASS_OTHER,    /* not for us: another protocol, port, address or host */
	PASS_FRAGMENT, /* a fragment: the kernel reassembles it */
	PASS_SOCKET,   /* ours, left to the kernel's sockets */
	STEER_XSK,     /* ours, to the AF_XDP socket of its queue */
	STEER_CPU,     /* ours, to the processor of its worker */
	DROP_LENGTH,   /* lengths of frame, IP and UDP are inconsistent */
	DROP_CHECKSUM, /* wrong checksum of the IPv4 header */
	DROP_SOURCE,   /* an impossible source address or port */
	DROP_TFTP,     /* no opcode of TFTP, or too short for its opcode */
	DROP_ACL,      /* the source is not allowed */
	DROP_RATE,     /* the source is over its rate */
	VERDICTS,
};

enum {
	MAX_XSKS = 512,         /* receive queues of the interface */
	MAX_WORKERS = 512,      /* workers that frames are spread over */
	MAX_PLACES = 4096,      /* local addresses times ports */
	MAX_PREFIXES = 1 << 16, /* of the ACL */
	MAX_VLANS = 1 << 16,    /* on an interface */
	SHOWN = 64,             /* octets of payload in a sample */
	MAX_SNAP = 2048,        /* octets of a captured frame */
};

/* Makes the compiler forget what it knows of a value: it would omit a bound that the verifier of Linux 6.1 needs. */
#define opaque(value) asm volatile("" : "+r"(value))

/* An address in network order; IPv4 as ::ffff:a.b.c.d, which is not a valid source of an IPv6 packet. */
struct address {
	__u32 word[4];
};

/* An address and port for requests or, with port 0, an address with transfer ports. */
struct place {
	struct address address;
	__u16 port;
	__u16 transfers;
};

/* VLAN tags in host order: protocol << 16 | VLAN ID; 0: none. */
struct tags {
	__u32 outer;
	__u32 inner;
};

struct acl_key {
	__u32 prefix; /* 32 bits of family, then those of the address */
	__u32 family; /* 4 or 6: one trie holds both, so that a new list replaces the old one in one store */
	__u32 word[4];
};

struct tally {
	__u64 packets;
	__u64 octets;
	__u64 sampled; /* bucket of the samples */
};

/* A dropped frame, for the operator. */
struct drop {
	__u64 time; /* CLOCK_MONOTONIC, ns */
	struct address source;
	struct address target;
	__u16 source_port;
	__u16 target_port;
	__u16 length; /* of the payload, as UDP has it */
	__u8 verdict;
	__u8 shown; /* octets of payload */
	__u8 payload[SHOWN];
};

/* A frame that was steered or dropped, for a capture. */
struct captured {
	__u64 time;      /* CLOCK_MONOTONIC, ns */
	__u32 capture;   /* number of the capture */
	__u32 interface; /* index */
	__u32 length;    /* of the frame, octets */
	__u16 shown;     /* octets in the record */
	__u8 verdict;
	__u8 zero;
	__u8 octets[MAX_SNAP];
};

/* acl_key_of returns the key of one address. */
static __always_inline struct acl_key acl_key_of(const struct address *a, bool v4)
{
	struct acl_key key = {};

	if (v4) {
		key.prefix = 32 + 32;
		key.family = 4;
		key.word[0] = a->word[3];
	} else {
		key.prefix = 32 + 128;
		key.family = 6;
		__builtin_memcpy(key.word, a->word, sizeof(key.word));
	}
	return key;
}

static __always_inline __u32 mix(__u32 h)
{
	/* The finalizer of MurmurHash3: every bit of the address affects every bit of the result. */
	h ^= h >> 16;
	h *= 0x85ebca6b;
	h ^= h >> 13;
	h *= 0xc2b2ae35;
	h ^= h >> 16;
	return h;
}

/* worker_of chooses one of n workers by the source address alone, so that all packets of a modem reach the same one.
 * Worker in Go computes the same. */
static __always_inline __u32 worker_of(const struct address *a, bool v4, __u32 n)
{
	__u32 h = 0;

	if (!v4) {
		h = mix(bpf_ntohl(a->word[0]));
		h = mix(h ^ bpf_ntohl(a->word[1]));
		h = mix(h ^ bpf_ntohl(a->word[2]));
	}
	h = mix(h ^ bpf_ntohl(a->word[3]));
	return (__u64)h * n >> 32;
}

#endif
