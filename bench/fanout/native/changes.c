#include "changes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "net.h"

#define MOST (1 << 20)

static int fd;
static char command[1024]; /* the same each time */
static int command_length;
static long first, newest, answered;
static int64_t made_at[MOST];

void changes_open(const char *redis_socket, const char *script, const char *key, const char *sku, long version) {
  fd = connect_unix(redis_socket);
  command_length = snprintf(
      command, sizeof command, "*5\r\n$7\r\nEVALSHA\r\n$%zu\r\n%s\r\n$1\r\n1\r\n$%zu\r\n%s\r\n$%zu\r\n%s\r\n",
      strlen(script), script, strlen(key), key, strlen(sku), sku);
  first = newest = answered = version;
  made_at[0] = now_us();
}

void changes_make(void) {
  if (newest + 1 - first >= MOST) fail("more changes than there is room for");
  newest++;
  made_at[newest - first] = now_us();
  if (send(fd, command, command_length, 0) != command_length) fail("Redis does not listen");
}

long changes_newest(void) {
  return newest;
}

int64_t changes_time(long version) {
  return version < first ? made_at[0] : made_at[version - first];
}

void changes_check_answers(void) {
  static char answers[65536];
  static int used;
  int got = recv(fd, answers + used, sizeof answers - 1 - used, MSG_DONTWAIT);
  if (got == 0) fail("Redis has closed the connection");
  if (got < 0) return;
  answers[used += got] = 0;
  char *line = answers, *end;
  for (; (end = strstr(line, "\r\n")); line = end + 2) {
    *end = 0;
    if (*line != ':' || atol(line + 1) != ++answered) fail(line);
  }
  used -= line - answers;
  memmove(answers, line, used);
}
