/* The little that every part needs: the clock, sockets, the end. */
#ifndef NET_H
#define NET_H

#include <stdint.h>

int64_t now_us(void); /* by a clock that never jumps */
int connect_unix(const char *path);
void fail(const char *why); /* says why and ends the program */

#endif
