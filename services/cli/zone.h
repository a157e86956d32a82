/*
 * Times for people: to the second, in the requested zone, with its offset from UTC. A program shows
 * all its times in one zone.
 *
 * Next: publish.h, the verb publish.
 */
#ifndef VALISE_CLI_ZONE_H
#define VALISE_CLI_ZONE_H

#include "base/clock.h"
#include "base/err.h"

/* "UTC", "+08:00", or a name such as Asia/Shanghai; NULL: the host's. USAGE if there is no zone
 * of that name. */
enum vl_err cli_zone_set(const char *name, struct vl_why *why) VL_CHECKED;

/* 2023-04-26T18:00:00+08:00, or with Z for UTC. Returns `text`. */
const char *cli_zone_format(struct vl_time time, char text[VL_TIME_TEXT]);

#endif
