/*
 * The files that were published without ids, so that a second time is met with a warning.
 *
 * An event without an id gets a new one each time its line is read. So the same file again makes
 * all its events again. The record is a file of the user's own, `valise/published` below
 * XDG_STATE_HOME (~/.local/state), of lines `DIGEST TIME`. It holds digests of files, and nothing
 * of their content. If the record cannot be kept, there is no warning, and nothing else changes.
 *
 * Next: scan.h, reading topics.
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
