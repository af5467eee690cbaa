/* One viewer: a connection that watches one SKU over one of the transports, and what it shows. */
#ifndef VIEWER_H
#define VIEWER_H

#include <stdint.h>

enum transport { SOCKETIO, BARE, SSE, POLL };
enum { GONE = -1, OPENING, WATCHING };

struct viewer {
  int fd, state; /* state: GONE, OPENING, WATCHING */
  enum transport transport;
  long version, available; /* what it shows */
  int64_t sampled_us;      /* up to when its age has been noted */
  int (*take)(struct viewer *, const char *, int);
  int used, event_used;
  char in[4096];
  char *event; /* SSE: what has come of the next event */
};

extern long viewers_refused; /* answers "503, try again", which they do */

/* Where they all go, and the SKU as it stands in JSON and in URLs (so it must be plain). */
void viewers_watch(const char *host, int port, const char *sku);

/* Connects, from an address shared by few others: a limit per address is not what is measured here.
 * Leaves `viewer` OPENING, or GONE where it cannot connect. */
void viewer_open(struct viewer *viewer, enum transport transport, int number);

void viewer_read(struct viewer *viewer); /* takes what has come; may make it WATCHING or GONE */
void viewer_close(struct viewer *viewer);

/* Called for each state of the SKU that a viewer hears of; made by the one who uses this. */
void viewer_hears(struct viewer *viewer, long version, long available);

#endif
