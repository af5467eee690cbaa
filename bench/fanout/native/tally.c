#include "tally.h"

#include <math.h>
#include <string.h>

void tally_clear(struct tally *tally) {
  memset(tally, 0, sizeof *tally);
}

void tally_add(struct tally *tally, int64_t us) {
  int64_t bucket = us / BUCKET_US;
  tally->buckets[bucket < BUCKETS ? bucket : BUCKETS - 1]++;
  tally->count++;
  if (us > tally->worst_us) tally->worst_us = us;
}

int64_t tally_percentile(const struct tally *tally, uint64_t expected, double percent) {
  uint64_t rank = ceil(expected * percent / 100), seen = 0;
  if (expected == 0 || rank > tally->count) return -1;
  for (int64_t bucket = 0; bucket < BUCKETS; bucket++) {
    seen += tally->buckets[bucket];
    if (seen >= rank) return bucket * BUCKET_US + BUCKET_US / 2;
  }
  return -1;
}
