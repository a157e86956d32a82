/*
 * The mark: a small file outside the outbox folder that says how far the outbox has come. By it an
 * old copy of the folder, or a clone, is detected before it signs anything.
 *
 * It holds the token of the agent's last start, which the outbox holds too, and each lane's head.
 * It is written at the start, every few seconds while a lane moves, and at a clean end, but never
 * within a commit. It is text, so that a person can read it. It is replaced by rename, so that it
 * is whole: the new one or the old one. outbox_doubt.c compares.
 *
 * Next: agent/link.h, which sends batches to Kafka.
 */
#ifndef VALISE_AGENT_OUTBOX_MARK_H
#define VALISE_AGENT_OUTBOX_MARK_H

#include "bus/batch.h"

#define VL_MARK_TOKEN 16
#define VL_MARK_LANES 64

struct vl_mark_lane {
	char name[64];
	struct vl_epoch epoch;
	struct vl_seq seq; /* 0 if that epoch has no batch yet */
	struct vl_digest digest;
};

struct vl_mark {
	char mission[VL_MISSION_MAX + 1];
	uint8_t token[VL_MARK_TOKEN];
	/* while a start is under way: the token that the outbox may still hold */
	uint8_t before[VL_MARK_TOKEN];
	bool starting;
	size_t n_lanes;
	struct vl_mark_lane lanes[VL_MARK_LANES];
};

/* NOT_FOUND if there is none; CORRUPT if it is no mark; IO, PERMISSION. */
enum vl_err vl_mark_read(const char *path, struct vl_mark *mark, struct vl_why *why) VL_CHECKED;

/* Replace it. After ok it is on the disk; otherwise it is the new one or the old one, whole.
 * FULL, IO, PERMISSION, NOMEM. */
enum vl_err vl_mark_write(const char *path, const struct vl_mark *mark,
			  struct vl_why *why) VL_CHECKED;

/* The identity of this machine: a digest of the file (/etc/machine-id). False if it cannot be
 * read, or is empty. */
#define VL_MARK_MACHINE 16
bool vl_mark_machine(const char *path, uint8_t machine[VL_MARK_MACHINE]);

#endif
