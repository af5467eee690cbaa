/* The floor: the least a server can do. WebSocket viewers in one epoll loop, one frame made per change and written
 * to each of them; no handshake beyond the upgrade, no rooms, no pings, no queues: who cannot take a frame is cut.
 *
 * Usage: floor PORT REDIS_SOCKET CHANNEL
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net.h"

#define MOST_VIEWERS 20000

/* The accept key of RFC 6455's own sample key, which is the one that our viewers send. */
static const char UPGRADED[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                               "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
static int epoll, viewers[MOST_VIEWERS], count;
static char known[MOST_VIEWERS * 2]; /* by file descriptor: has been upgraded */

static int listen_on(int port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), yes = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, 2048)) fail("cannot listen");
  return fd;
}

static void watch(int fd) {
  struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
  epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

static void greet(int listener) {
  int fd, yes = 1;
  while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    watch(fd);
  }
}

static void leave(int fd) {
  for (int i = 0; i < count; i++)
    if (viewers[i] == fd) viewers[i] = viewers[--count];
  known[fd] = 0;
  close(fd);
}

/* The first thing a viewer sends is its request, which arrives in one piece here; whatever else it says is ignored. */
static void hear(int fd) {
  char said[4096];
  ssize_t length = recv(fd, said, sizeof said, 0);
  if (length == 0 || (length < 0 && errno != EAGAIN)) return leave(fd);
  if (known[fd] || count == MOST_VIEWERS) return;
  known[fd] = 1;
  viewers[count++] = fd;
  send(fd, UPGRADED, sizeof UPGRADED - 1, MSG_NOSIGNAL);
}

static void tell_all(const char *state, int length) {
  static unsigned char frame[4096] = {0x81, 126}; /* final text frame, length in two bytes */
  int body = snprintf((char *)frame + 4, sizeof frame - 4, "42[\"stock\",%.*s]", length, state);
  frame[2] = body >> 8;
  frame[3] = body & 255;
  for (int i = count - 1; i >= 0; i--)
    if (send(viewers[i], frame, body + 4, MSG_NOSIGNAL) != body + 4) leave(viewers[i]);
}

/* Of what Redis sends a subscriber, the lines with a brace are the messages: JSON has no line ends of its own. */
static void take_changes(int redis) {
  static char in[1 << 16];
  static int used;
  ssize_t got = recv(redis, in + used, sizeof in - 1 - used, MSG_DONTWAIT);
  if (got <= 0) exit(got < 0);
  in[used += got] = 0;
  char *line = in, *end;
  for (; (end = strstr(line, "\r\n")); line = end + 2)
    if (*line == '{') tell_all(line, end - line);
  used -= line - in;
  memmove(in, line, used);
}

int main(int argc, char **argv) {
  if (argc != 4) fail("usage: floor PORT REDIS_SOCKET CHANNEL");
  epoll = epoll_create1(0);
  int listener = listen_on(atoi(argv[1])), redis = connect_unix(argv[2]);
  dprintf(redis, "*2\r\n$9\r\nSUBSCRIBE\r\n$%zu\r\n%s\r\n", strlen(argv[3]), argv[3]);
  watch(listener);
  watch(redis);
  for (;;) {
    struct epoll_event events[64];
    int ready = epoll_wait(epoll, events, 64, -1);
    for (int i = 0; i < ready; i++) {
      int fd = events[i].data.fd;
      if (fd == listener) greet(fd);
      else if (fd == redis) take_changes(fd);
      else hear(fd);
    }
  }
}
