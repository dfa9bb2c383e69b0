//go:build ignore

// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* The programs of closetrace.bpf.c at raw tracepoints: see TRACEPOINT in read.h. */
#define RAW
#include "closetrace.bpf.c"
