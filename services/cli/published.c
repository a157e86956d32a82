#include "cli/published.h"

#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEX (2 * sizeof(struct vl_digest) + 1)

bool cli_published_digest(int file, struct vl_digest *digest)
{
	struct stat info;

	if (fstat(file, &info) != 0 || !S_ISREG(info.st_mode) || info.st_size == 0)
		return false;
	size_t size = (size_t)info.st_size;
	void *content = mmap(NULL, size, PROT_READ, MAP_PRIVATE, file, 0);
	if (content == MAP_FAILED)
		return false;
	*digest = vl_batch_digest((struct vl_bytes){content, size});
	(void)munmap(content, size);
	return true;
}

/* Its folders are made where they are missing. */
static FILE *open_record(const char *mode)
{
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	char path[PATH_MAX];

	if (state != NULL && state[0] == '/')
		(void)snprintf(path, sizeof(path), "%s/valise/published", state);
	else if (home != NULL && home[0] == '/')
		(void)snprintf(path, sizeof(path), "%s/.local/state/valise/published", home);
	else
		return NULL;
	for (char *slash = strchr(path + 1, '/'); *mode == 'a' && slash != NULL;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(path, 0700) != 0 && errno != EEXIST)
			return NULL;
		*slash = '/';
	}
	return fopen(path, mode);
}

bool cli_published_find(const struct vl_digest *digest, char when[VL_TIME_TEXT])
{
	char wanted[HEX], found[HEX], time[VL_TIME_TEXT];
	FILE *record = open_record("re");
	bool known = false;

	if (record == NULL)
		return false;
	(void)vl_hex(digest->bytes, sizeof(digest->bytes), wanted);
	while (fscanf(record, "%64s %39s", found, time) == 2)
		if (strcmp(found, wanted) == 0) {
			known = true;
			(void)snprintf(when, VL_TIME_TEXT, "%s", time);
		}
	(void)fclose(record);
	return known;
}

void cli_published_note(const struct vl_digest *digest, struct vl_time now)
{
	char hex[HEX], time[VL_TIME_TEXT];
	FILE *record = open_record("ae");

	if (record == NULL)
		return;
	now.nanos = 0;
	(void)fprintf(record, "%s %s\n", vl_hex(digest->bytes, sizeof(digest->bytes), hex),
		      vl_time_format(now, time));
	(void)fclose(record);
}
