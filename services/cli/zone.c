#include "cli/zone.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ZONES "/usr/share/zoneinfo"
#define NAME_MOST 64

/* "+08:00" as POSIX has it, with the sign the other way round. */
static bool read_distance(const char *name, char room[NAME_MOST])
{
	static const char form[] = "+00:00";

	if (strlen(name) != sizeof(form) - 1 || (name[0] != '+' && name[0] != '-') ||
	    name[3] != ':' || strspn(name + 1, "0123456789") != 2 ||
	    strspn(name + 4, "0123456789") != 2 || name[1] > '1' || name[4] > '5')
		return false;
	(void)snprintf(room, NAME_MOST, "<%.3s%s>%c%s", name, name + 4, name[0] == '+' ? '-' : '+',
		       name + 1);
	return true;
}

/* The C library takes a name that it does not know for UTC, so the name is looked for first. */
static bool is_zone(const char *name)
{
	const char *folder = getenv("TZDIR");
	char path[512];

	if (name[0] < 'A' || name[0] > 'z' || strlen(name) >= NAME_MOST ||
	    strstr(name, "..") != NULL)
		return false;
	if (strcmp(name, "UTC") == 0)
		return true;
	(void)snprintf(path, sizeof(path), "%s/%s", folder != NULL ? folder : ZONES, name);
	return access(path, R_OK) == 0;
}

enum vl_err cli_zone_set(const char *name, struct vl_why *why)
{
	char room[NAME_MOST];

	if (name != NULL && read_distance(name, room))
		name = room;
	else if (name != NULL && !is_zone(name))
		return vl_fail(why, VL_ERR_USAGE,
			       "no time zone '%.40s'; name one as UTC, +08:00 or Asia/Shanghai "
			       "(those of " ZONES ")",
			       name);
	if (name != NULL && setenv("TZ", name, 1) != 0)
		return VL_ERR_NOMEM;
	tzset();
	return VL_OK;
}

const char *cli_zone_format(struct vl_time t, char text[VL_TIME_TEXT])
{
	time_t seconds = (time_t)t.seconds;
	struct tm tm;

	if (localtime_r(&seconds, &tm) == NULL)
		return vl_time_format((struct vl_time){t.seconds, 0}, text);
	size_t n = strftime(text, VL_TIME_TEXT, "%Y-%m-%dT%H:%M:%S", &tm);
	long minutes = tm.tm_gmtoff / 60, from = minutes < 0 ? -minutes : minutes;
	if (minutes == 0)
		(void)snprintf(text + n, VL_TIME_TEXT - n, "Z");
	else
		(void)snprintf(text + n, VL_TIME_TEXT - n, "%c%02ld:%02ld", minutes < 0 ? '-' : '+',
			       from / 60, from % 60);
	return text;
}
