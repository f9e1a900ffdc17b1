/*
 * histogram - three linear steps per power of two: 62 buckets reach from 64 us to 112 s within a
 * third of the value, the last one is "longer".
 */
#include "base/histogram.h"

#define HISTOGRAM_FIRST_US ((uint64_t)64)
#define HISTOGRAM_STEPS 3u

uint64_t histogram_bound_us(unsigned i)
{
    if (i >= HISTOGRAM_BUCKETS - 1) {
        return UINT64_MAX;
    }
    if (i == 0) {
        return HISTOGRAM_FIRST_US;
    }
    uint64_t octave = HISTOGRAM_FIRST_US << ((i - 1) / HISTOGRAM_STEPS);
    uint64_t step = (i - 1) % HISTOGRAM_STEPS + 1;
    return octave + octave * step / HISTOGRAM_STEPS;
}

unsigned histogram_index(uint64_t us)
{
    if (us < HISTOGRAM_FIRST_US) {
        return 0;
    }
    unsigned octave = (unsigned)__builtin_clzll(HISTOGRAM_FIRST_US) - (unsigned)__builtin_clzll(us);
    if (octave >= HISTOGRAM_BUCKETS / HISTOGRAM_STEPS) {
        return HISTOGRAM_BUCKETS - 1;
    }
    uint64_t base = HISTOGRAM_FIRST_US << octave;
    unsigned i = 1 + octave * HISTOGRAM_STEPS + (unsigned)((us - base) * HISTOGRAM_STEPS / base);
    /* Bounds are rounded down: 85 us is beyond 64 + 21 although it is not yet a third. */
    while (i < HISTOGRAM_BUCKETS - 1 && us >= histogram_bound_us(i)) {
        i++;
    }
    return i < HISTOGRAM_BUCKETS ? i : HISTOGRAM_BUCKETS - 1;
}

double histogram_quantile_us(const uint64_t bucket[HISTOGRAM_BUCKETS], double q)
{
    uint64_t count = 0;
    double before = 0;

    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        count += bucket[i];
    }
    if (count == 0) {
        return -1.0;
    }
    double rank = q * (double)count;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS - 1; i++) {
        double here = (double)bucket[i];
        if (bucket[i] > 0 && before + here >= rank) {
            double low = i == 0 ? 0.0 : (double)histogram_bound_us(i - 1);
            double high = (double)histogram_bound_us(i);
            double part = (rank - before) / here;
            return low + (high - low) * (part < 0 ? 0 : part);
        }
        before += here;
    }
    return (double)histogram_bound_us(HISTOGRAM_BUCKETS - 2);
}
