/*
 * Reading topics from one end to the other, for tail, verify and deadletter.
 *
 * It joins no group and commits nothing. Unless it follows, a scan ends where the topics ended when
 * it began. Each partition is read for itself (stream/reader.h). An unreadable part is passed over,
 * and kept for a report at the end (cli_scan_unread).
 *
 * Next: audit.h, chains of whole lanes.
 */
#ifndef VALISE_CLI_SCAN_H
#define VALISE_CLI_SCAN_H

#include "cli/cli.h"
#include "stream/stream.h"

struct cli_scan;

/* Begin to read `topics` within the options' --since and --until; with --follow without an end.
 * NOT_FOUND if there is no such topic, with the nearest lane; UNREACHABLE, CONFIG. */
enum vl_err cli_scan_open(const struct cli_options *options, const char *const *topics,
			  size_t count, struct cli_scan **scan, struct vl_why *why) VL_CHECKED;
void cli_scan_close(struct cli_scan *scan);

/* The next message, to be freed by the caller. END: all has been read. TIMEOUT: none within a
 * quarter second, only while following or while the broker is slow. UNREACHABLE: no broker for
 * half a minute (never while following). */
enum vl_err cli_scan_next(struct cli_scan *scan, struct vl_message **message,
			  struct vl_why *why) VL_CHECKED;

/* How many records there were to read when it began, and how many have been read. */
uint64_t cli_scan_total(const struct cli_scan *scan);
uint64_t cli_scan_done(const struct cli_scan *scan);

/* The parts that could not be read so far: an unreadable batch, or a partition without rights.
 * Valid until the next call of cli_scan_next. */
struct cli_unread {
	struct vl_position at; /* the first offset; below 0 if unknown */
	int64_t to;            /* the first offset behind it; below 0: all of the rest */
	uint64_t bytes;        /* 0 if unknown */
	enum vl_err err;
	struct vl_why why;
};
size_t cli_scan_unread(const struct cli_scan *scan, const struct cli_unread **unread);

/* Report the same on stderr, a line each; returns how many there are. */
size_t cli_scan_tell_unread(const struct cli_scan *scan);

/* A ring from --keys; USAGE if none were given. */
struct vl_ring;
enum vl_err cli_ring_open(const struct cli_options *options, struct vl_ring **ring,
			  struct vl_why *why) VL_CHECKED;

#endif
