/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The kernel types that closetrace reads, and no others: this file is its dependency on the
 * kernel. CO-RE relocates every field at load time, so the order here means nothing and missing
 * fields are fine. Checked against the BTF of 5.10, 6.1, 6.12, 6.18 and 7.2.
 */
#pragma once

typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef signed char __s8;
typedef short __s16;
typedef int __s32;
typedef long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u64 __be64;
typedef __u32 __wsum;
typedef _Bool bool;

enum { false, true };
#define NULL ((void *)0)

/* UAPI constants, include/uapi/linux/bpf.h. */
enum {
	BPF_ANY = 0,
	BPF_NOEXIST = 1,
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_LRU_HASH = 9,
	BPF_MAP_TYPE_RINGBUF = 27,
	BPF_F_MMAPABLE = 1 << 10,
	BPF_RB_NO_WAKEUP = 1,
	BPF_RB_FORCE_WAKEUP = 2,
	BPF_RB_AVAIL_DATA = 0,
};

/* include/net/tcp_states.h, include/linux/socket.h, include/linux/sched.h */
enum {
	TCP_ESTABLISHED = 1,
	TCP_SYN_SENT,
	TCP_SYN_RECV,
	TCP_FIN_WAIT1,
	TCP_FIN_WAIT2,
	TCP_TIME_WAIT,
	TCP_CLOSE,
	TCP_CLOSE_WAIT,
	TCP_LAST_ACK,
	TCP_LISTEN,
	TCP_CLOSING,
	TCP_NEW_SYN_RECV,

	AF_INET = 2,
	AF_INET6 = 10,
	IPPROTO_TCP = 6,
	IPPROTO_MPTCP = 262,
	EEXIST = 17,
	ECONNABORTED = 103,
	PF_EXITING = 0x4,
	PF_KTHREAD = 0x200000,
	S_IFMT = 0170000,
	S_IFSOCK = 0140000,

	TCP_SEQUENCE = 4, /* offsets in the header, RFC 9293, figure 1 */
	TCP_FLAGS = 13,
	TCP_FLAG_SYN = 2,
	TCP_FLAG_RST = 4,

	IPV4_SOURCE = 12, /* offsets, RFC 791 and RFC 8200 */
	IPV4_DESTINATION = 16,
	IPV6_SOURCE = 8,
	IPV6_DESTINATION = 24,

	LOOPBACK_IFINDEX = 1, /* in every namespace, include/net/flow.h */
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

/* include/net/sock.h; moved values are relocated (bpf_core_enum_value). */
enum sock_flags {
	SOCK_DEAD,
	SOCK_DONE,
	SOCK_KEEPOPEN = 3,
	SOCK_LINGER = 4,
};

/* include/net/rstreason.h, since 6.10; the names are read in user space. */
enum sk_rst_reason {
	SK_RST_REASON_NOT_SPECIFIED,
};

struct ns_common {
	unsigned int inum;
};

typedef struct {
	int counter;
} atomic_t;

typedef struct {
	atomic_t refs;
} refcount_t;

/* In 6.0 netns_ipv4 has a pointer to it, which is not read. */
struct inet_timewait_death_row {
	refcount_t tw_refcount; /* one more than there are */
	int sysctl_max_tw_buckets;
};

struct netns_ipv4 {
	int sysctl_tcp_fin_timeout;
	int sysctl_tcp_keepalive_intvl;
	__u8 sysctl_tcp_keepalive_probes; /* these two were int until 5.13 */
	__u8 sysctl_tcp_retries2;
	__u8 sysctl_tcp_syn_retries; /* int until 5.13 too */
	__u8 sysctl_tcp_syn_linear_timeouts; /* since 6.5 (ccce324dabfe) */
	struct inet_timewait_death_row tcp_death_row;
};

typedef struct {
	unsigned int val;
} kuid_t;

struct user_namespace {
	struct user_namespace *parent;
	int level; /* 0 is the first one */
	kuid_t owner;
};

struct net {
	struct ns_common ns;
	struct user_namespace *user_ns;
	struct netns_ipv4 ipv4;
};

typedef struct {
	struct net *net;
} possible_net_t;

struct in6_addr {
	union {
		__u8 u6_addr8[16];
		__be32 u6_addr32[4];
	} in6_u;
};

struct sock_common {
	__be32 skc_daddr;
	__be32 skc_rcv_saddr;
	__be16 skc_dport;
	__u16 skc_num;
	unsigned short skc_family;
	volatile unsigned char skc_state;
	unsigned char skc_reuseport : 1;
	unsigned long skc_flags;
	possible_net_t skc_net;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
	__u32 skc_tw_rcv_nxt;
};

typedef struct {
	long long counter;
} atomic64_t;

typedef atomic64_t atomic_long_t;

/* Up to 6.12 a file counts in f_count; f_ref since 6.13 (08ef26ea9ab3). */
struct file___count {
	atomic_long_t f_count;
};

typedef struct {
	atomic_long_t refcnt;
} file_ref_t;

struct file___ref {
	file_ref_t f_ref;
};

struct inode {
	unsigned short i_mode;
	unsigned long i_ino;
};

struct file {
	struct inode *f_inode;
	void *private_data;
};

struct net_device {
	int ifindex;
	possible_net_t nd_net;
};

struct dst_entry {
	struct net_device *dev;
};

struct sock;

struct socket {
	struct file *file;
	struct sock *sk;
};

typedef struct {
	int owned;
} socket_lock_t;

struct sock {
	struct sock_common __sk_common;
	socket_lock_t sk_lock;
	unsigned long sk_lingertime;
	__u16 sk_protocol;
	__u8 sk_shutdown;
	int sk_err;
	int sk_err_soft;
	struct socket *sk_socket;
	kuid_t sk_uid;
	struct dst_entry *sk_dst_cache;
	struct dst_entry *sk_rx_dst;
	int sk_rx_dst_ifindex;
};

struct inet_sock {
	struct sock sk;
	__be16 inet_sport;
};

struct inet_connection_sock {
	struct inet_sock icsk_inet;
	__u8 icsk_retransmits;
	__u8 icsk_probes_out;
	__u32 icsk_pmtu_cookie;
	struct {
		__u32 lrcvtime;
	} icsk_ack;
	__u32 icsk_user_timeout;
	__u32 icsk_probes_tstamp; /* since 5.11, late 5.10 (9d9b1ee0b2d1) */
	__u32 icsk_rto_max;       /* since 6.15 (54a378f43425) */
	__u8 icsk_syn_retries;
};

struct list_head {
	struct list_head *next;
};

struct tcp_options_received {
	__u16 saw_tstamp : 1;
	__u16 mss_clamp;
};

struct tcp_sock {
	struct inet_connection_sock inet_conn;
	__u32 rcv_nxt;
	__u32 copied_seq;
	__u32 snd_una;
	__u32 snd_wnd;
	__u32 mss_cache;
	__u32 snd_nxt;
	__u32 write_seq;
	__u32 packets_out;
	__u32 srtt_us;
	__u32 total_retrans;
	__u32 retrans_stamp;
	__u32 lsndtime;
	__u32 snd_wl1;
	__u32 segs_in;
	__u32 segs_out;
	__u32 delivered;
	__u32 chrono_start;
	__u32 chrono_stat[3];
	__u8 chrono_type : 2; /* a whole byte in 7.3 */
	int linger2;
	unsigned int keepalive_intvl;
	__u32 rcv_tstamp;
	__u8 keepalive_probes;
	__u64 bytes_acked;
	__u64 bytes_received;
	__u64 bytes_sent;
	__u64 bytes_retrans;
	struct tcp_options_received rx_opt;
	struct list_head tsorted_sent_queue;
	__u8 repair : 1;
	__u8 syn_data_acked : 1;
	__u8 tcp_usec_ts : 1;
	bool is_mptcp; /* absent without CONFIG_MPTCP */
};

struct cred {
	kuid_t uid;
};

struct kernfs_node {
	__u64 id;
};

struct cgroup {
	struct kernfs_node *kn;
};

struct css_set {
	struct cgroup *dfl_cgrp;
};

struct files_struct;
struct seq_file;
struct task_struct {
	void *stack;
	unsigned int flags;
	int pid;
	int tgid;
	int exit_code;
	__u64 start_boottime;
	struct task_struct *group_leader;
	struct cred *cred;
	struct css_set *cgroups;
	struct files_struct *files;
	char comm[16];
};

struct sk_buff {
	unsigned char *head;
	unsigned char *data;
	__u16 network_header;
	__u16 transport_header;
	int skb_iif;
	__u64 skb_mstamp_ns;
	struct list_head tcp_tsorted_anchor;
	struct net_device *dev;
	unsigned long _skb_refdst;
};

/* include/net/inet_timewait_sock.h */
struct inet_timewait_sock {
	struct sock_common __tw_common;
	volatile unsigned char tw_substate;
};

struct tcp_timewait_sock {
	struct inet_timewait_sock tw_sk;
	__u32 tw_rcv_wnd;
};

#pragma clang attribute pop

#include "context.h"
