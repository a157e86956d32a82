/*
 * Which files were published without ids, so that whoever gives one a second time is warned.
 *
 * An event without an id gets a new one each time its line is read: the same file again is all of
 * its events again. The record is a file of the user's own, `valise/published` below
 * XDG_STATE_HOME (~/.local/state), of lines `DIGEST TIME`. It holds the digests of files, and
 * nothing of what was in them. Where it cannot be kept nobody is warned, and nothing else changes.
 */
#ifndef VALISE_CLI_PUBLISHED_H
#define VALISE_CLI_PUBLISHED_H

#include "base/clock.h"
#include "bus/batch.h"

#include <stdbool.h>

/* The digest of a regular file's content; false for anything else, and for an empty one. */
bool cli_published_digest(int file, struct vl_digest *digest);

/* Whether the record has the digest, and since when. */
bool cli_published_find(const struct vl_digest *digest, char when[VL_TIME_TEXT]);

/* Note it. */
void cli_published_note(const struct vl_digest *digest, struct vl_time now);

#endif
