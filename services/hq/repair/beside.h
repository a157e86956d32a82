/*
 * Beside: the whole ledger made anew from Kafka, or from Kafka and the archive, beside the present
 * one.
 *
 * It grows in a folder of its own (`<views>.rebuild`), in the way headquarters fills it: feed,
 * verifier, applier, and passed batches read again. It takes over the keys of the past (keybook.h).
 * When every lane is read to its end, it is compared with the old ledger. Only if it lacks nothing
 * that was applied, the two folders change places, in one step of the file system. So a reader
 * finds the old or the new views, whole, even after a crash. The old ledger is then in
 * `<views>.before`. Meanwhile the old one answers; valise-hq is stopped, since both folders are
 * locked.
 *
 * Next: ask/table.h, the views as tables.
 */
#ifndef VALISE_HQ_REPAIR_BESIDE_H
#define VALISE_HQ_REPAIR_BESIDE_H

#include "base/conf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vl_beside {
	const char *views, *keys; /* folders */
	const struct vl_conf_pair *pairs;
	size_t n_pairs;
	bool archive; /* first all batches of the old archive */
	/* Called at intervals with the number of applied events. */
	void (*progress)(void *context, uint64_t events);
	void *context;
};

/* LOCKED if another process writes to the views. NOT_FOUND, with the reason, if the new ledger
 * would lack events of the old one; then nothing was changed. */
enum vl_err vl_rebuild_beside(const struct vl_beside *options, struct vl_why *why) VL_CHECKED;

#endif
