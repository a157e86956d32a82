#include "base/text.h"
#include "bus/batch.h"
#include "hq/fold_state.h"
#include "hq/history.h"
#include "hq/views.h"

#include <stdio.h>
#include <string.h>

struct vl_touch {
	struct vl_fold *fold;
	const struct vl_fact *fact;
	const struct vl_place *place;
	bool remove;
};

/* An entity without a row has no history yet: what is filed from here on is all of it. */
static void file_under(struct vl_touch *touch, unsigned kind, const char *key)
{
	struct vl_fold *fold = touch->fold;
	bool added;
	struct dirty *entry = vl_fold_mark(fold, kind, key, &added);
	struct vl_key row;

	if (entry == NULL)
		return;
	if (added) {
		vl_row_key(&row, kind, key);
		entry->complete = !vl_txn_get(fold->txn, vl_view_db(fold->view, VL_VIEW_ROW), vl_key_done(&row), NULL);
	}
	/* What is taken out again is best read back from the ledger, with all the rest. */
	if (touch->remove)
		entry->complete = false;
	if (!entry->complete)
		return;
	struct filed *filed = vl_arena_alloc(fold->txn_arena, sizeof(*filed));
	if (filed == NULL)
		return;
	*filed = (struct filed){.fact = touch->fact, .place = *touch->place};
	*entry->last = filed;
	entry->last = &filed->next;
	entry->n_facts++;
}

void vl_touch(struct vl_touch *touch, unsigned kind, const char *key)
{
	struct vl_fold *fold = touch->fold;
	unsigned db = vl_view_db(fold->view, VL_VIEW_HISTORY);
	char room[VL_ENTITY_MAX + 1];
	struct vl_key at;

	if (key[0] == '\0' || kind >= vl_views[fold->view]->n_kinds)
		return;
	key = vl_entity_key(key, room);
	vl_history_key(&at, kind, key, touch->fact->mission, touch->place);
	if (touch->remove)
		(void)vl_txn_delete(fold->txn, db, vl_key_done(&at));
	else
		vl_history_put(fold->txn, db, &at, touch->place);
	file_under(touch, kind, key);
}

static void file_fact(struct vl_fold *fold, const struct vl_fact *fact, const struct vl_place *place, bool remove)
{
	struct vl_touch touch = {fold, fact, place, remove};

	vl_views[fold->view]->touch(&touch, fact);
}

/* An entry of the event database: who sent this id, where it lies, and whether it stands in the histories or another sender's
 * identical event does in its stead. */
struct claim {
	struct vl_place place;
	uint8_t content[VL_CONTENT_SIZE];
	bool stands;
};

#define CLAIM_SIZE 49

static void claim_key(struct vl_key *key, const uint8_t id[16], const char *mission)
{
	vl_key_reset(key);
	vl_key_bytes(key, id, 16);
	if (mission != NULL)
		vl_key_text(key, mission);
}

static void pack_claim(const struct claim *claim, uint8_t value[CLAIM_SIZE])
{
	vl_put_be64(value, claim->place.epoch.n);
	vl_put_be64(value + 8, claim->place.seq.n);
	vl_put_be64(value + 16, claim->place.event.n);
	vl_put_be32(value + 24, claim->place.offset);
	vl_put_be32(value + 28, claim->place.size);
	vl_put_be64(value + 32, claim->place.sum);
	memcpy(value + 40, claim->content, sizeof(claim->content));
	value[48] = claim->stands;
}

/* At a cursor that stands where it belongs, or without one. */
static void put_claim(struct vl_fold *fold, struct vl_cursor *cursor, const uint8_t id[16], const char *mission,
		      const struct claim *claim)
{
	struct vl_key key;
	uint8_t value[CLAIM_SIZE];

	claim_key(&key, id, mission);
	pack_claim(claim, value);
	if (cursor != NULL)
		(void)vl_cursor_insert(cursor, vl_key_done(&key), (struct vl_bytes){value, sizeof(value)});
	else
		vl_txn_put(fold->txn, vl_view_db(fold->view, VL_VIEW_EVENT), vl_key_done(&key),
			   (struct vl_bytes){value, sizeof(value)});
}

static struct claim get_claim(struct vl_bytes value)
{
	struct claim claim = {0};

	if (value.size != CLAIM_SIZE)
		return claim;
	claim.place = (struct vl_place){.epoch = {vl_get_be64(value.data)},
					.seq = {vl_get_be64(value.data + 8)},
					.event = {vl_get_be64(value.data + 16)},
					.offset = vl_get_be32(value.data + 24),
					.size = vl_get_be32(value.data + 28),
					.sum = vl_get_be64(value.data + 32)};
	memcpy(claim.content, value.data + 40, sizeof(claim.content));
	claim.stands = value.data[48] != 0;
	return claim;
}

/* Another sender's event with the same id and content: one event, which stands under the lesser sender id whichever came
 * first. True where `mine` gives way. */
static bool settle_twins(struct vl_fold *fold, const uint8_t id[16], const char *mission, const char *other,
			 struct claim *theirs)
{
	struct vl_bytes bytes;
	struct vl_fact fact;

	if (strcmp(other, mission) < 0)
		return true;
	theirs->stands = false;
	if (vl_archive_event(fold->txn, other, vl_views[fold->view]->lane, &theirs->place, &bytes) != VL_OK ||
	    !vl_fact_read(bytes, other, &theirs->place, true, fold->txn_arena, &fact))
		vl_txn_fail(fold->txn, vl_arena_failed(fold->txn_arena) ? VL_ERR_NOMEM : VL_ERR_CORRUPT);
	else
		file_fact(fold, &fact, &theirs->place, true);
	put_claim(fold, NULL, id, other, theirs);
	return false;
}

/* The same sender's event with the same id, from a later place than `mine`: the earliest place stands, whichever came first, so that
 * every reading of the same batches gives the same histories. */
static bool replaces(struct vl_fold *fold, const char *mission, const struct claim *ours, const struct claim *mine)
{
	const struct vl_place *a = &mine->place, *b = &ours->place;
	struct vl_bytes bytes;
	struct vl_fact fact;

	if (a->epoch.n > b->epoch.n || (a->epoch.n == b->epoch.n && a->event.n >= b->event.n))
		return false;
	if (!ours->stands)
		return true;
	if (vl_archive_event(fold->txn, mission, vl_views[fold->view]->lane, b, &bytes) != VL_OK ||
	    !vl_fact_read(bytes, mission, b, true, fold->txn_arena, &fact))
		vl_txn_fail(fold->txn, vl_arena_failed(fold->txn_arena) ? VL_ERR_NOMEM : VL_ERR_CORRUPT);
	else
		file_fact(fold, &fact, b, true);
	return true;
}

#define MAX_TWINS 8

/* Look at who else has sent this id. KNOWN where this sender has, or where another's twin of it stands. */
static enum vl_fold_outcome enter_claim(struct vl_fold *fold, const uint8_t id[16], const char *mission,
					struct claim *mine)
{
	struct vl_key prefix;
	struct vl_bytes key, value;
	struct claim theirs[MAX_TWINS];
	char others[MAX_TWINS][VL_MISSION_MAX + 1];
	size_t n = 0;
	struct vl_cursor *cursor = vl_cursor_open(fold->txn, vl_view_db(fold->view, VL_VIEW_EVENT));
	struct claim ours = {.stands = false};
	bool known = false;

	claim_key(&prefix, id, NULL);
	for (bool more = vl_cursor_seek(cursor, vl_key_done(&prefix), &key, &value);
	     more && vl_key_has_prefix(key, vl_key_done(&prefix)); more = vl_cursor_next(cursor, &key, &value)) {
		const char *other = (const char *)key.data + 16;
		struct claim claim = get_claim(value);
		bool own = strcmp(other, mission) == 0;
		if (own)
			ours = claim;
		known |= own;
		if (!own && claim.stands && memcmp(claim.content, mine->content, sizeof(mine->content)) == 0 &&
		    n < MAX_TWINS) {
			theirs[n] = claim;
			(void)snprintf(others[n++], sizeof(others[0]), "%s", other);
		}
	}
	mine->stands = true;
	if (!known && n == 0)
		put_claim(fold, cursor, id, mission, mine);
	vl_cursor_close(cursor);
	if (known && !replaces(fold, mission, &ours, mine))
		return VL_FOLD_KNOWN;
	for (size_t i = 0; i < n; i++)
		if (settle_twins(fold, id, mission, others[i], &theirs[i]))
			mine->stands = false;
	if (known || n > 0)
		put_claim(fold, NULL, id, mission, mine);
	return mine->stands ? VL_FOLD_NEW : VL_FOLD_KNOWN;
}

/* A fact made of an event whose bytes may be gone before settle. */
static const struct vl_fact *make_fact(struct vl_fold *fold, const char *mission, const struct vl_place *place,
				       struct vl_bytes event)
{
	struct vl_arena *arena = fold->txn_arena;
	struct vl_fact *fact = vl_arena_alloc(arena, sizeof(*fact));
	char *sender = vl_arena_text(arena, mission, strlen(mission));
	uint8_t *copy = vl_arena_alloc(arena, event.size);

	if (fact == NULL || sender == NULL || copy == NULL)
		return NULL;
	memcpy(copy, event.data, event.size);
	return vl_fact_read((struct vl_bytes){copy, event.size}, sender, place, false, arena, fact) ? fact : NULL;
}

void vl_fold_add_event(struct vl_fold *fold, size_t view, const char *mission, const struct vl_place *place,
		       struct vl_bytes event, const struct vl_fact *read, enum vl_fold_outcome *outcome)
{
	struct claim claim = {.place = *place};

	fold->view = view;
	*outcome = VL_FOLD_UNREAD;
	if (read == NULL)
		read = make_fact(fold, mission, place, event);
	if (read != NULL && read->payload != NULL) {
		claim.place.sum = vl_sum(event);
		if (read->content != NULL)
			memcpy(claim.content, read->content, VL_CONTENT_SIZE);
		else
			vl_event_content(event, claim.content);
		*outcome = enter_claim(fold, read->id, mission, &claim);
		if (*outcome == VL_FOLD_NEW)
			file_fact(fold, read, &claim.place, false);
	}
	if (vl_arena_failed(fold->txn_arena))
		vl_txn_fail(fold->txn, VL_ERR_NOMEM);
}
