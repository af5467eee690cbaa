/* Whoever changes the stock: calls a script in Redis that raises the version of one SKU and announces it,
 * and remembers when each version was made. Nobody else may change that SKU meanwhile. */
#ifndef CHANGES_H
#define CHANGES_H

#include <stdint.h>

/* version: the present one. script: its SHA-1; called with the key and the SKU, it answers with the new version. */
void changes_open(const char *redis_socket, const char *script, const char *key, const char *sku, long version);

void changes_make(void);             /* one more, now */
long changes_newest(void);           /* the version of the latest one */
int64_t changes_time(long version);  /* when it was made, in µs of now_us() */

void changes_check_answers(void);    /* ends the program if Redis has answered anything but the version expected */

#endif
