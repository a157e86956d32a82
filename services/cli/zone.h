/*
 * Times as people read them: to the second, in the zone that was asked for, with its distance from
 * UTC. A program shows all its times in one zone.
 */
#ifndef VALISE_CLI_ZONE_H
#define VALISE_CLI_ZONE_H

#include "base/clock.h"
#include "base/err.h"

/* "UTC", "+08:00", or a name such as Asia/Shanghai; NULL: the host's. USAGE where there is none of
 * that name. */
enum vl_err cli_zone_set(const char *name, struct vl_why *why) VL_CHECKED;

/* 2023-04-26T18:00:00+08:00, or with Z where that is UTC. Returns `text`. */
const char *cli_zone_format(struct vl_time time, char text[VL_TIME_TEXT]);

#endif
