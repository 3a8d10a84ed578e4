/* SPDX-License-Identifier: Apache-2.0
 * What `vkinfer benchmark` measured, as a table for a person and as JSON for a program. */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include "node_list.h"

typedef struct bench_times {
    double min, median, mean, p90, p99; /* ms */
} bench_times;

typedef struct bench_result {
    const char *model, *precision;
    vki_device_info device;
    int threads, warmup, iterations;
    bench_times latency;
    double write_ms, read_ms;       /* medians of copying all inputs and outputs */
    int in_flight;                  /* 1: the next two were not measured */
    double alone_rate, flight_rate; /* runs a second with their copies: one by one, and in flight */
    double context_ms;
    vki_session_stats stats;
    uint64_t peak_rss;     /* bytes, of the process */
    bool profiled, report; /* times of nodes; with all that is known of them */
    node_list nodes;
} bench_result;

void bench_print(const bench_result *result);
void bench_print_line(const bench_result *result); /* the most important in one line */
vki_status bench_write_json(const bench_result *result, const char *path,
                            vki_error *err); /* VKI_E_IO, VKI_E_NOMEM */

#endif
