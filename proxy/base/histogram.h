#ifndef BASE_HISTOGRAM_H
#define BASE_HISTOGRAM_H
/*
 * histogram - the buckets all times are counted in: log-linear, 3 per power of two from 64 us to
 * 112 s; the last one is "longer". Who counts keeps the numbers; here is what they mean.
 *
 * Threads: any.
 */
#include <stdint.h>

#define HISTOGRAM_BUCKETS 64

/* The bucket of a time in microseconds, 0..HISTOGRAM_BUCKETS-1. */
unsigned histogram_index(uint64_t us);
/* Upper bound of bucket i in microseconds; UINT64_MAX for the last. */
uint64_t histogram_bound_us(unsigned i);
/* Quantile q (0..1) in microseconds, interpolated; negative: no data. */
double histogram_quantile_us(const uint64_t bucket[HISTOGRAM_BUCKETS], double q);
#endif
