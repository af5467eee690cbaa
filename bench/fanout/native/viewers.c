/* Many viewers of one SKU on one server, and the one who changes its stock: a single program, so that a change and
 * its arrival are read off one clock.
 *
 * Usage: viewers TRANSPORT PORT SERVER_PID SKU REDIS_SOCKET SCRIPT KEY VERSION
 *
 * Takes commands from its input and answers each with a line of JSON:
 *   open COUNT                  connect until COUNT viewers watch
 *   push RATE SECONDS LIMIT_MS  change the stock RATE times a second; wait until all viewers show the last value.
 *                               LIMIT_MS > 0: stop once more than 1 % of the waits were longer than that
 */
#define _GNU_SOURCE
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "changes.h"
#include "net.h"
#include "tally.h"
#include "viewer.h"

#define MOST_VIEWERS 20000
#define OPENING_AT_ONCE 50 /* no backlog overflows */
#define SECOND 1000000LL
#define OPEN_US (60 * SECOND)
#define DRAIN_US (10 * SECOND)
#define SILENCE_US (2 * SECOND)  /* who has heard nothing for so long will not hear any more */
#define SAMPLE_US 2000
#define SETTLE_US (1 * SECOND)   /* before the first sample of a push */

static struct viewer viewers[MOST_VIEWERS];
static int count, epoll, command_waits;
static enum transport transport;
static pid_t server;
static clockid_t server_cpu;

/* One push. A "wait": from a change until one viewer shows it or a newer value. Its age: how old the shown value is. */
static struct {
  long before;            /* the version before the first change; between two pushes nothing is counted */
  int64_t limit_us, end_us, last_heard_us;
  uint64_t messages, waits_over;
} run = {.before = LONG_MAX};
static struct tally waits, ages;

/* --- connections and time --- */

static void watch(int fd, struct viewer *viewer) {
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = viewer};
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event)) fail("cannot watch");
}

/* Deals with what comes until `until_us`, or with what is there if that is past. */
static void turn(int64_t until_us) {
  struct epoll_event events[64]; /* few: so that changes are made on time */
  int64_t left = until_us - now_us();
  int ready = epoll_wait(epoll, events, 64, left > 0 ? (left + 999) / 1000 : 0);
  for (int i = 0; i < ready; i++) {
    struct viewer *viewer = events[i].data.ptr;
    if (viewer) viewer_read(viewer);
    else command_waits = 1;
  }
  changes_check_answers();
}

static int in_state(int state) {
  int found = 0;
  for (int i = 0; i < count; i++) found += viewers[i].state == state;
  return found;
}

static int64_t cpu_us(clockid_t clock) {
  struct timespec used;
  if (clock_gettime(clock, &used)) fail("the server is gone");
  return used.tv_sec * SECOND + used.tv_nsec / 1000;
}

/* How long a process has stood in line for a core so far: neighbours on this machine cost it that. */
static int64_t stood_in_line_us(pid_t pid) {
  char path[64];
  long ran, waited = 0;
  snprintf(path, sizeof path, "/proc/%d/schedstat", pid);
  FILE *file = fopen(path, "r");
  if (!file) return 0;
  if (fscanf(file, "%ld %ld", &ran, &waited) != 2) waited = 0;
  fclose(file);
  return waited / 1000;
}

static int64_t any_stood_in_line_us(void) {
  return stood_in_line_us(server) + stood_in_line_us(getpid());
}

/* --- what the viewers show --- */

/* The age that the viewer has shown since it was last noted, a sample every 2 ms. */
static void note_age(struct viewer *viewer, int64_t now) {
  if (now > run.end_us) now = run.end_us;
  for (; viewer->sampled_us < now; viewer->sampled_us += SAMPLE_US)
    tally_add(&ages, viewer->sampled_us - changes_time(viewer->version));
}

static void note_waits(struct viewer *viewer, long version, int64_t now) {
  for (long each = (viewer->version > run.before ? viewer->version : run.before) + 1; each <= version; each++) {
    int64_t us = now - changes_time(each);
    tally_add(&waits, us);
    run.waits_over += us > run.limit_us;
  }
}

void viewer_hears(struct viewer *viewer, long version, long available) {
  if (version > changes_newest()) fail("somebody else changes this SKU");
  if (version <= viewer->version) return;
  if (version > run.before) {
    run.last_heard_us = now_us();
    run.messages++;
    note_age(viewer, run.last_heard_us);
    note_waits(viewer, version, run.last_heard_us);
  }
  viewer->version = version;
  viewer->available = available;
}

/* --- commands --- */

static void open_viewers(int wanted) {
  int64_t deadline = now_us() + OPEN_US;
  int opening;
  while (((opening = in_state(OPENING)) || count < wanted) && now_us() < deadline) {
    for (; opening < OPENING_AT_ONCE && count < wanted; opening++) {
      struct viewer *viewer = &viewers[count];
      viewer_open(viewer, transport, count++);
      if (viewer->state != GONE) watch(viewer->fd, viewer);
    }
    turn(now_us() + 1000);
  }
  printf("{\"watching\": %d, \"gone\": %d}\n", in_state(WATCHING), in_state(GONE));
}

static void begin(int64_t limit_us) {
  run.before = changes_newest();
  run.limit_us = limit_us ? limit_us : INT64_MAX;
  run.end_us = INT64_MAX;
  run.messages = run.waits_over = viewers_refused = 0;
  run.last_heard_us = now_us();
  tally_clear(&waits);
  tally_clear(&ages);
  for (int i = 0; i < count; i++) viewers[i].sampled_us = run.last_heard_us + SETTLE_US;
}

static int changes_made(void) {
  return changes_newest() - run.before;
}

static void make_changes(double rate, int wanted, uint64_t most_over) {
  int64_t start = now_us();
  while (changes_made() < wanted && run.waits_over <= most_over) {
    int64_t due = start + changes_made() * SECOND / rate;
    if (due <= now_us()) changes_make();
    turn(due);
  }
  run.end_us = now_us();
}

static void drain(uint64_t expected) {
  int64_t deadline = now_us() + DRAIN_US;
  run.last_heard_us = now_us();
  while (waits.count < expected && now_us() < deadline && now_us() < run.last_heard_us + SILENCE_US)
    turn(now_us() + 20000);
  for (int i = 0; i < count; i++)
    if (viewers[i].state == WATCHING) note_age(&viewers[i], run.end_us);
}

static void print_ms(const char *name, int64_t us) {
  if (us < 0) printf("\"%s\": null, ", name);
  else printf("\"%s\": %.2f, ", name, us / 1000.0);
}

static void report(uint64_t expected) {
  long lowest = 0, highest = 0;
  int watching = 0;
  for (int i = 0; i < count; i++) {
    if (viewers[i].state != WATCHING) continue;
    long shown = viewers[i].available;
    lowest = watching && lowest < shown ? lowest : shown;
    highest = watching++ && highest > shown ? highest : shown;
  }
  printf("{\"watching\": %d, \"changes\": %d, \"expected\": %lu, ", watching, changes_made(), expected);
  printf("\"messages\": %lu, \"waits\": %lu, \"refused\": %ld, ", run.messages, waits.count, viewers_refused);
  print_ms("p50_ms", tally_percentile(&waits, expected, 50));
  print_ms("p99_ms", tally_percentile(&waits, expected, 99));
  print_ms("worst_ms", waits.count < expected ? -1 : waits.worst_us);
  print_ms("age_p50_ms", tally_percentile(&ages, ages.count, 50));
  print_ms("age_p99_ms", tally_percentile(&ages, ages.count, 99));
  printf("\"lowest\": %ld, \"highest\": %ld, ", lowest, highest);
}

static void push(double rate, double seconds, double limit_ms) {
  int watching = in_state(WATCHING), wanted = ceil(rate * seconds);
  begin(limit_ms * 1000);
  int64_t start = now_us(), used = cpu_us(server_cpu), ours = cpu_us(CLOCK_PROCESS_CPUTIME_ID), line = any_stood_in_line_us();
  make_changes(rate, wanted, (uint64_t)wanted * watching / 100);
  double seconds_us = now_us() - start;
  ours = cpu_us(CLOCK_PROCESS_CPUTIME_ID) - ours;
  line = any_stood_in_line_us() - line;
  drain((uint64_t)changes_made() * watching);
  used = cpu_us(server_cpu) - used;
  report((uint64_t)changes_made() * watching);
  printf("\"cpu_us\": %ld, \"client_share\": %.3f, \"in_line\": %.3f}\n", used, ours / seconds_us, line / seconds_us);
  run.before = LONG_MAX;
}

static void obey(const char *line) {
  double first, second, third;
  if (sscanf(line, "open %lf", &first) == 1 && first <= MOST_VIEWERS) open_viewers(first);
  else if (sscanf(line, "push %lf %lf %lf", &first, &second, &third) == 3) push(first, second, third);
  else fail("unknown command");
  fflush(stdout);
}

static enum transport transport_named(const char *name) {
  const char *names[] = {[SOCKETIO] = "socketio", [BARE] = "bare", [SSE] = "sse", [POLL] = "poll"};
  for (int i = 0; i < 4; i++)
    if (!strcmp(name, names[i])) return i;
  fail("unknown transport");
  return 0;
}

int main(int argc, char **argv) {
  char line[256];
  if (argc != 9) fail("usage: viewers TRANSPORT PORT SERVER_PID SKU REDIS_SOCKET SCRIPT KEY VERSION");
  transport = transport_named(argv[1]);
  viewers_watch("127.0.0.1", atoi(argv[2]), argv[4]);
  server = atoi(argv[3]);
  if (clock_getcpuclockid(server, &server_cpu)) fail("no such server");
  changes_open(argv[5], argv[6], argv[7], argv[4], atol(argv[8]));
  epoll = epoll_create1(0);
  watch(STDIN_FILENO, NULL);
  for (;;) {
    for (command_waits = 0; !command_waits;) turn(now_us() + SECOND);
    if (!fgets(line, sizeof line, stdin)) return 0;
    obey(line);
  }
}
