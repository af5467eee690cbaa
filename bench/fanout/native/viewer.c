/* The client's side of each transport. Every take_… is handed what has come so far, deals with one whole unit of it
 * (an HTTP head, a frame, a chunk, an answer) and returns its length; 0 where it is not whole yet, -1 where it is
 * not what it should be. */
#define _GNU_SOURCE
#include "viewer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PER_ADDRESS 20
#define EVENT_SIZE 4096
#define UPGRADE "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" \
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

long viewers_refused;
static struct sockaddr_in server;
static const char *sku;

void viewers_watch(const char *host, int port, const char *watched) {
  server = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = inet_addr(host)};
  sku = watched;
}

static int say(struct viewer *viewer, const char *bytes, int length) {
  return send(viewer->fd, bytes, length, MSG_NOSIGNAL) == length ? 0 : -1;
}

static int get(struct viewer *viewer, const char *path, const char *headers) {
  char request[1024];
  int length = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n", path, headers);
  return say(viewer, request, length);
}

/* A client's frames are masked; masked with zeros they stay as they are. */
static int say_frame(struct viewer *viewer, int opcode, const char *body, int length) {
  char frame[256] = {0x80 | opcode, 0x80 | length, 0, 0, 0, 0};
  if (length > 125) return -1;
  memcpy(frame + 6, body, length);
  return say(viewer, frame, length + 6);
}

static int say_text(struct viewer *viewer, const char *text) {
  return say_frame(viewer, 1, text, strlen(text));
}

static int number_after(const char *name, const char *json, int length, long *number) {
  const char *found = memmem(json, length, name, strlen(name));
  if (found) *number = atol(found + strlen(name)); /* a bracket follows somewhere, so it ends in time */
  return found != NULL;
}

static void hear(struct viewer *viewer, const char *json, int length) {
  long version, available;
  if (number_after("\"version\":", json, length, &version) && number_after("\"available\":", json, length, &available))
    viewer_hears(viewer, version, available);
}

/* --- HTTP heads --- */

static int head_length(const char *in, int length) {
  const char *end = memmem(in, length, "\r\n\r\n", 4);
  return end ? end + 4 - in : 0;
}

static int has_status(const char *in, int length, const char *status) {
  return length > 12 && !memcmp(in + 9, status, 3);
}

/* --- WebSocket, with Engine.IO and Socket.IO in it --- */

static int begins(const char *text, int length, const char *with) {
  return length >= (int)strlen(with) && !memcmp(text, with, strlen(with));
}

static int take_packet(struct viewer *viewer, const char *text, int length) {
  if (begins(text, length, "42[\"stock\",")) return hear(viewer, text, length), 0;
  if (begins(text, length, "2")) return say_text(viewer, "3"); /* Engine.IO: ping, pong */
  if (begins(text, length, "0")) return say_text(viewer, "40"); /* open: ask for the default namespace */
  if (begins(text, length, "430")) { /* the answer to "watch" is the snapshot */
    viewer->state = WATCHING;
    return hear(viewer, text, length), 0;
  }
  if (begins(text, length, "40")) { /* let in: watch */
    char watch[128];
    snprintf(watch, sizeof watch, "420[\"watch\",{\"skus\":[\"%s\"]}]", sku);
    return say_text(viewer, watch);
  }
  return begins(text, length, "44") || begins(text, length, "41") || begins(text, length, "1") ? -1 : 0;
}

static int take_frame(struct viewer *viewer, const char *in, int length) {
  const unsigned char *head = (const unsigned char *)in;
  if (length < 2) return 0;
  int opcode = head[0] & 15, size = head[1], start = 2;
  if (size > 126) return -1; /* masked, or far longer than any state */
  if (size == 126) {
    if (length < 4) return 0;
    size = head[2] << 8 | head[3];
    start = 4;
  }
  if (length < start + size) return 0;
  int bad = opcode == 1   ? take_packet(viewer, in + start, size)
            : opcode == 9 ? say_frame(viewer, 10, in + start, size)
                          : -1; /* closed, or in pieces, which no server here sends */
  return bad ? -1 : start + size;
}

static int take_upgrade(struct viewer *viewer, const char *in, int length) {
  int head = head_length(in, length);
  if (head && !has_status(in, head, "101")) return -1;
  if (head) viewer->take = take_frame;
  if (head && viewer->transport == BARE) viewer->state = WATCHING;
  return head;
}

/* --- server-sent events --- */

static void take_events(struct viewer *viewer) {
  char *event = viewer->event, *end, *stop = event + viewer->event_used;
  for (; (end = memmem(event, stop - event, "\n\n", 2)); event = end + 2) {
    if (!begins(event, end - event, "event: stock\n")) continue;
    viewer->state = WATCHING; /* the first one is the snapshot */
    hear(viewer, event, end - event);
  }
  viewer->event_used = stop - event;
  memmove(viewer->event, event, viewer->event_used);
}

static int take_chunk(struct viewer *viewer, const char *in, int length) {
  const char *line_end = memmem(in, length, "\r\n", 2);
  if (!line_end) return 0;
  int size = strtol(in, NULL, 16), start = line_end + 2 - in;
  if (size <= 0 || viewer->event_used + size > EVENT_SIZE) return -1;
  if (length < start + size + 2) return 0;
  memcpy(viewer->event + viewer->event_used, in + start, size);
  viewer->event_used += size;
  take_events(viewer);
  return start + size + 2;
}

static int take_stream_head(struct viewer *viewer, const char *in, int length) {
  int head = head_length(in, length);
  if (head && !(has_status(in, head, "200") && memmem(in, head, "chunked", 7))) return -1;
  if (head) viewer->take = take_chunk;
  return head;
}

/* --- long-poll --- */

static int poll_again(struct viewer *viewer) {
  char path[256];
  snprintf(path, sizeof path, "/live/poll?sku=%s:%ld", sku, viewer->version);
  return get(viewer, path, "");
}

static int take_answer(struct viewer *viewer, const char *in, int length) {
  int head = head_length(in, length), news = has_status(in, head, "200");
  if (!head) return 0;
  if (has_status(in, head, "503")) viewers_refused++;
  else if (!news && !has_status(in, head, "204")) return -1;
  const char *size = memmem(in, head, "Content-Length: ", 16);
  int whole = head + (size ? atoi(size + 16) : 0);
  if (length < whole) return 0;
  viewer->state = WATCHING;
  if (news) hear(viewer, in + head, whole - head);
  return poll_again(viewer) ? -1 : whole;
}

/* --- all of them --- */

static int ask(struct viewer *viewer) {
  char path[256];
  switch (viewer->transport) {
    case SSE:
      viewer->take = take_stream_head;
      viewer->event = malloc(EVENT_SIZE);
      snprintf(path, sizeof path, "/live/stock?sku=%s", sku);
      return get(viewer, path, "Accept: text/event-stream\r\n");
    case POLL:
      viewer->take = take_answer;
      return poll_again(viewer);
    default:
      viewer->take = take_upgrade;
      return get(viewer, "/socket.io/?EIO=4&transport=websocket", UPGRADE);
  }
}

void viewer_open(struct viewer *viewer, enum transport transport, int number) {
  int address = number / PER_ADDRESS, yes = 1; /* 127.1.x.y, all of which are this machine */
  struct sockaddr_in from = {.sin_family = AF_INET};
  from.sin_addr.s_addr = htonl(127 << 24 | 1 << 16 | (address / 250) << 8 | (address % 250 + 1));
  *viewer = (struct viewer){.fd = socket(AF_INET, SOCK_STREAM, 0), .transport = transport};
  setsockopt(viewer->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &yes, sizeof yes);
  setsockopt(viewer->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  if (bind(viewer->fd, (struct sockaddr *)&from, sizeof from) ||
      connect(viewer->fd, (struct sockaddr *)&server, sizeof server) || ask(viewer))
    viewer_close(viewer);
}

void viewer_read(struct viewer *viewer) {
  ssize_t got = recv(viewer->fd, viewer->in + viewer->used, sizeof viewer->in - viewer->used, MSG_DONTWAIT);
  if (got < 0 && errno == EAGAIN) return;
  if (got <= 0) return viewer_close(viewer);
  int done = 0, step;
  viewer->used += got;
  while ((step = viewer->take(viewer, viewer->in + done, viewer->used - done)) > 0) done += step;
  if (step < 0) return viewer_close(viewer);
  viewer->used -= done;
  memmove(viewer->in, viewer->in + done, viewer->used);
}

void viewer_close(struct viewer *viewer) {
  close(viewer->fd);
  free(viewer->event);
  viewer->event = NULL;
  viewer->state = GONE;
}
