/* Durations in buckets of 10 µs: adding is cheap, and a percentile is right to 10 µs whatever came. */
#ifndef TALLY_H
#define TALLY_H

#include <stdint.h>

#define BUCKET_US 10
#define BUCKETS (1 << 20) /* 10.5 s; what took longer counts as that long */

struct tally {
  uint64_t count;
  int64_t worst_us;
  uint32_t buckets[BUCKETS];
};

void tally_clear(struct tally *tally);
void tally_add(struct tally *tally, int64_t us);

/* The nearest-rank percentile of `expected` durations, of which those not added never ended.
 * In µs; -1 where the percentile is one that never ended. */
int64_t tally_percentile(const struct tally *tally, uint64_t expected, double percent);

#endif
