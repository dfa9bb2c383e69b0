//go:build ignore

// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* The program of signals.bpf.c at a raw tracepoint. */
#define RAW
#include "signals.bpf.c"
