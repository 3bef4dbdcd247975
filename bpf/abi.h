/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What the programs and their loader in Go must see alike: verdicts, the shapes of keys and values, the settings, the
 * choice of a worker. */
#ifndef DCS_ABI_H
#define DCS_ABI_H

#include <linux/bpf.h>
#include <linux/types.h>
#include <stdbool.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

/* What became of a frame. Each is counted. */
enum verdict {
	PASS_OTHER,    /* not for us: another protocol, port, address or host */
	PASS_FRAGMENT, /* a fragment: the kernel puts it together */
	PASS_SOCKET,   /* ours, left to the kernel's sockets */
	STEER_XSK,     /* ours, to the AF_XDP socket of its queue */
	STEER_CPU,     /* ours, to the processor of its worker */
	DROP_LENGTH,   /* lengths of frame, IP and UDP contradict one another */
	DROP_CHECKSUM, /* checksum of the IPv4 header */
	DROP_SOURCE,   /* an address or port that nobody can have */
	DROP_TFTP,     /* no opcode of TFTP, or too short for its opcode */
	DROP_ACL,      /* the source may not ask here */
	DROP_RATE,     /* the source asks too often */
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

/* Has the compiler forget what it knows of a value: it would leave out a bound that Linux 6.1's verifier has to see. */
#define opaque(value) asm volatile("" : "+r"(value))

/* An address in network order; IPv4 as ::ffff:a.b.c.d, which no frame of IPv6 may have as its source. */
struct address {
	__u32 word[4];
};

/* Where requests are taken, or, with port 0, an address at which running transfers have their ports. */
struct place {
	struct address address;
	__u16 port;
	__u16 transfers;
};

/* VLAN tags, in host order: protocol << 16 | number; 0: none. */
struct tags {
	__u32 outer;
	__u32 inner;
};

struct acl_key {
	__u32 prefix; /* 32 bits of family, then those of the address */
	__u32 family; /* 4 or 6: one trie holds both, so that a new list takes the place of the old one in one store */
	__u32 word[4];
};

struct tally {
	__u64 packets;
	__u64 octets;
	__u64 sampled; /* bucket of the samples */
};

/* A dropped frame, for the operator's eye. */
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
	__u32 capture;   /* its number */
	__u32 interface; /* index */
	__u32 length;    /* of the frame, octets */
	__u16 shown;     /* of them */
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
	/* The finalizer of MurmurHash3: every bit of the address reaches every bit of the choice. */
	h ^= h >> 16;
	h *= 0x85ebca6b;
	h ^= h >> 13;
	h *= 0xc2b2ae35;
	h ^= h >> 16;
	return h;
}

/* worker_of chooses one of n workers by the source address alone, so that all packets of a modem reach the same one. Its
 * twin in Go is Worker. */
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
