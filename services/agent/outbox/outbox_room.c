/*
 * How full it is. What counts is what cannot be used for something new: data, and pages that are
 * free but that somebody who reads an old snapshot may still need. So an event is taken only
 * where its room is really there.
 */
#include "agent/outbox/outbox_in.h"

#include <stdio.h>
#include <string.h>

#define MEASURE_BYTES ((size_t)4 << 20) /* accepted since it was last measured */
#define RESERVE_LEAST ((size_t)16 << 20)
#define RESERVE_SHARE 16
/* of the reserve, at least: what is freed lies in pieces, and one may be too small */
#define PIECES ((size_t)8 << 20)
#define REAP_MS 60000

size_t outbox_map_size(size_t size)
{
	size_t share = size / RESERVE_SHARE;

	return size + (share > RESERVE_LEAST ? share : RESERVE_LEAST);
}

/* How much may be in use for an event of this precedence still to be taken. On a small outbox
 * the shares are too little for one commit of big events, so each has a floor. Only FLASH goes
 * into the reserve beyond the size. */
static size_t limit(const struct vl_outbox *outbox, enum vl_precedence precedence, size_t *room)
{
	static const struct {
		size_t percent, least;
	} kept[VL_PRECEDENCES] = {
		[VL_FLASH] = {3, (size_t)3 << 20},
		[VL_IMMEDIATE] = {7, (size_t)5 << 20},
		[VL_PRIORITY] = {10, (size_t)7 << 20},
		[VL_ROUTINE] = {10, (size_t)7 << 20},
	};
	size_t size = outbox->options.size;

	*room = precedence != VL_FLASH && outbox->use.room > size ? size : outbox->use.room;
	size_t share = *room / 100 * kept[precedence].percent;
	size_t least = *room > size ? PIECES : kept[precedence].least;
	size_t keep = share > least ? share : least;

	return *room > keep ? *room - keep : 0;
}

static size_t in_use(const struct vl_outbox *outbox)
{
	return outbox->use.used + outbox->use.pinned + outbox->added;
}

/* Measuring walks LMDB's list of free pages: not for every commit while there is plenty. Where
 * there is not, the dead go first: LMDB keeps for them what they read. */
void outbox_measure(struct vl_outbox *outbox)
{
	size_t room =
		outbox->use.room < outbox->options.size ? outbox->use.room : outbox->options.size;
	bool little = in_use(outbox) > room / 10 * 8 || room < VL_OUTBOX_SIZE_MIN * 2;

	if (outbox->measured && outbox->added <= MEASURE_BYTES && !little)
		return;
	if (little)
		vl_store_reap_readers(outbox->store);
	vl_store_use(outbox->store, &outbox->use);
	outbox->added = outbox->flying != NULL ? outbox->flying->added : 0;
	outbox->measured = true;
}

/* What an event takes: its bytes in a batch, its row by id, and the waste of pages. */
size_t outbox_footprint(size_t size)
{
	return size + size / 8 + 128;
}

bool outbox_fits(const struct vl_outbox *outbox, const struct vl_lane *lane, size_t size)
{
	size_t room;

	return in_use(outbox) + outbox_footprint(size) <= limit(outbox, lane->precedence, &room);
}

/* Who keeps the room from use, where it would be there without them. */
static bool pinned_by(const struct vl_outbox *outbox, size_t least, char text[200])
{
	if (outbox->use.pinned == 0 || outbox->use.pinned < least)
		return false;
	(void)snprintf(text, 200,
		       "process %ld has been reading it since before %zu kB of it were freed, "
		       "and keeps them from use; end that process",
		       outbox->use.reader.pid, outbox->use.pinned >> 10);
	return true;
}

enum vl_err outbox_refuse_full(const struct vl_outbox *outbox, const struct vl_lane *lane,
			       size_t size, struct vl_why *why)
{
	size_t room, most = limit(outbox, lane->precedence, &room),
		     needs = in_use(outbox) + outbox_footprint(size);
	size_t percent = room > 0 ? in_use(outbox) * 100 / room : 100;
	const char *next =
		room < outbox->options.size ? "make room on its disk" : "give [outbox] size more";
	char reader[200];

	if (pinned_by(outbox, needs > most ? needs - most : 1, reader))
		return vl_fail(why, VL_ERR_FULL,
			       "the outbox is %zu %% full and takes no %s event now: %s", percent,
			       vl_precedence_name(lane->precedence), reader);
	return vl_fail(
		why, VL_ERR_FULL,
		"the outbox is %zu %% full and takes no %s event now; send it again later, or %s",
		percent, vl_precedence_name(lane->precedence), next);
}

void vl_outbox_explain_full(struct vl_outbox *outbox, struct vl_why *why)
{
	char reader[200];

	vl_store_reap_readers(outbox->store);
	vl_store_use(outbox->store, &outbox->use);
	if (pinned_by(outbox, 1, reader))
		(void)vl_fail(why, VL_ERR_FULL, "the outbox has no room left: %s", reader);
	else if (outbox->use.room < outbox_map_size(outbox->options.size))
		(void)vl_fail(why, VL_ERR_FULL, "the outbox's disk has no room left");
	else
		(void)vl_fail(why, VL_ERR_FULL,
			      "the outbox has no room left; give [outbox] size more");
}

bool vl_outbox_tend(struct vl_outbox *outbox, int64_t now_ms, struct vl_outbox_reader *held)
{
	struct vl_store_reader reader;

	if (now_ms < outbox->tend_at)
		return false;
	outbox->tend_at = now_ms + REAP_MS;
	vl_store_reap_readers(outbox->store);
	bool old = vl_store_oldest_reader(outbox->store, &reader);
	bool same = old && reader.pid == outbox->reader.pid &&
		    reader.snapshot == outbox->reader.snapshot;
	if (!same) {
		outbox->reader = old ? reader : (struct vl_store_reader){0};
		outbox->reader_since = now_ms;
		outbox->reader_told = false;
		return false;
	}
	if (outbox->reader_told)
		return false;
	outbox->reader_told = true;
	vl_store_use(outbox->store, &outbox->use);
	outbox->added = outbox->flying != NULL ? outbox->flying->added : 0;
	*held = (struct vl_outbox_reader){reader.pid, (now_ms - outbox->reader_since) / 1000,
					  outbox->use.pinned};
	return true;
}
