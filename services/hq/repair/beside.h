/*
 * Beside: the whole ledger made anew from Kafka, or from Kafka and the archive, beside the one
 * there is.
 *
 * It grows in a folder of its own (`<views>.rebuild`) as headquarters would fill it: feed,
 * verifier, applier, and what is passed over read again. It takes over the keys of the past
 * (keybook.h). Once every lane is read to its end it is compared with the old one, and only
 * where it lacks nothing that was applied do the two folders change places, in one step of the
 * file system: who opens the views finds the old or the new, whole, whatever dies when. The old
 * one then lies in `<views>.before`. Meanwhile the old one answers; valise-hq is stopped, as
 * both folders are locked.
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
	bool archive; /* first all that the old one's archive has */
	/* Told now and then how many events are applied. */
	void (*progress)(void *context, uint64_t events);
	void *context;
};

/* LOCKED where somebody writes to the views. NOT_FOUND, with words, where the new one would lack
 * what the old one has: then nothing was changed. */
enum vl_err vl_rebuild_beside(const struct vl_beside *options, struct vl_why *why) VL_CHECKED;

#endif
