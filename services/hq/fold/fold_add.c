/*
 * One event enters the histories of what it touches, and marks them (fold.h).
 */
#include "base/checksum.h"
#include "base/text.h"
#include "bus/batch.h"
#include "hq/fold/fold_state.h"
#include "hq/fold/history.h"
#include "hq/fold/views.h"

#include <stdio.h>
#include <string.h>

struct vl_touch {
	struct vl_fold *fold;
	const struct vl_fact *fact;
	const struct vl_place *place;
	bool remove, renew;
	uint32_t n, first; /* entities touched so far; those before the first were filed earlier */
	uint64_t room;     /* for so many */
	/* whether it touches this entity; NULL: it is filed under all that it touches */
	const char *asked;
	unsigned asked_kind;
	bool found;
};

/* An entity without a row that does not wait for one has no history yet: what is filed from here
 * on is all of it. Where rows may have been lost the history itself is looked at, before
 * anything is filed. */
static bool is_new(struct vl_fold *fold, unsigned kind, const char *key)
{
	struct vl_bytes found;
	struct vl_key row;

	vl_row_key(&row, kind, key);
	if (vl_txn_find(fold->txn, vl_view_db(fold->view, VL_VIEW_ROW), vl_key_done(&row), NULL) !=
		    VL_ERR_NOT_FOUND ||
	    vl_todo_waits(&fold->todo, fold->view, kind, key, NULL))
		return false;
	if (fold->renewals[fold->view].phase == VL_RENEWAL_NONE)
		return true;
	struct vl_cursor *cursor =
		vl_cursor_open(fold->txn, vl_view_db(fold->view, VL_VIEW_HISTORY));
	vl_cursor_pass_over(cursor, (struct vl_bytes){0}, NULL, NULL);
	bool any = vl_cursor_seek(cursor, vl_key_done(&row), &found, NULL) &&
		   vl_key_has_prefix(found, vl_key_done(&row));
	vl_cursor_close(cursor);
	return !any;
}

static void file_under(struct vl_touch *touch, unsigned kind, const char *key)
{
	struct vl_fold *fold = touch->fold;
	bool added;
	struct dirty *entry = vl_fold_mark(fold, kind, key, &added);

	if (entry == NULL)
		return;
	if (added)
		entry->complete = is_new(fold, kind, key);
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
	entry->weight += vl_fact_weight(touch->place->size);
}

/* Whether it is in the history as it should be; what is damaged there makes way. */
static bool is_filed(struct vl_fold *fold, unsigned db, const struct vl_key *at,
		     const struct vl_place *place)
{
	struct vl_bytes value;
	struct vl_place filed;
	enum vl_err err = vl_txn_find(fold->txn, db, vl_key_done(at), &value);

	if (err == VL_ERR_CORRUPT) {
		(void)vl_txn_weed(fold->txn, db, vl_key_done(at));
		if (!vl_txn_get(fold->txn, db, vl_key_done(at), &value))
			return false;
	} else if (err != VL_OK) {
		return false;
	}
	return vl_history_place(vl_key_done(at), value, &filed) != NULL &&
	       filed.seq.n == place->seq.n && filed.offset == place->offset &&
	       filed.size == place->size && filed.sum == place->sum;
}

void vl_touch(struct vl_touch *touch, unsigned kind, const char *key)
{
	struct vl_fold *fold = touch->fold;
	unsigned db = vl_view_db(fold->view, VL_VIEW_HISTORY);
	char room[VL_ENTITY_MAX + 1];
	struct vl_key at;

	if (key[0] == '\0' || kind >= vl_views[fold->view]->n_kinds)
		return;
	uint32_t n = touch->n++;
	if (n < touch->first || n - touch->first >= touch->room)
		return;
	key = vl_entity_key(key, room);
	if (touch->asked != NULL) {
		touch->found = touch->found ||
			       (kind == touch->asked_kind && strcmp(key, touch->asked) == 0);
		return;
	}
	fold->steps++;
	fold->owners[fold->owner].filed++;
	vl_history_key(&at, kind, key, touch->fact->mission, touch->place);
	if (touch->renew && is_filed(fold, db, &at, touch->place))
		return;
	file_under(touch, kind, key);
	if (touch->remove)
		(void)vl_txn_delete(fold->txn, db, vl_key_done(&at));
	else
		vl_history_put(fold->txn, db, &at, touch->place);
}

bool vl_touched(const struct vl_touch *touch)
{
	return touch->n > 0;
}

bool vl_fold_belongs(struct vl_fold *fold, size_t view, const struct vl_fact *fact, unsigned kind,
		     const char *entity)
{
	struct vl_touch touch = {.fold = fold,
				 .fact = fact,
				 .room = UINT32_MAX,
				 .asked = entity,
				 .asked_kind = kind};

	fold->view = view;
	vl_bound_route(fold->bound[view], &touch, fact);
	return touch.found;
}

/* Where to go on; 0 where the fact is filed under all that it touches. */
static uint32_t file_fact(struct vl_fold *fold, const struct vl_fact *fact,
			  const struct vl_place *place, bool remove,
			  const struct vl_fold_part *part)
{
	struct vl_touch touch = {.fold = fold,
				 .fact = fact,
				 .place = place,
				 .remove = remove,
				 .renew = part->renew,
				 .first = part->first,
				 .room = part->room};

	vl_bound_route(fold->bound[fold->view], &touch, fact);
	return touch.n > part->first && touch.n - part->first > part->room
		       ? part->first + (uint32_t)part->room
		       : 0;
}

/* An entry of the event database: who sent this id, where it lies, whether it stands in the
 * histories or another sender's identical event does in its stead, and whether an event that
 * says something else has the id, too. */
struct claim {
	struct vl_place place;
	uint8_t content[VL_CONTENT_SIZE];
	uint64_t gist;
	bool stands, shared;
};

#define CLAIM_SIZE 57
#define CLAIM_STANDS 1
#define CLAIM_SHARED 2

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
	vl_put_be64(value + 48, claim->gist);
	value[56] = (claim->stands ? CLAIM_STANDS : 0) | (claim->shared ? CLAIM_SHARED : 0);
}

/* At a cursor that stands where it belongs, or without one. */
static void put_claim(struct vl_fold *fold, struct vl_cursor *cursor, const uint8_t id[16],
		      const char *mission, const struct claim *claim)
{
	struct vl_key key;
	uint8_t value[CLAIM_SIZE];

	fold->claimed |= UINT64_C(1) << fold->view;
	claim_key(&key, id, mission);
	pack_claim(claim, value);
	if (cursor != NULL)
		(void)vl_cursor_insert(cursor, vl_key_done(&key),
				       (struct vl_bytes){value, sizeof(value)});
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
	claim.gist = vl_get_be64(value.data + 48);
	claim.stands = (value.data[56] & CLAIM_STANDS) != 0;
	claim.shared = (value.data[56] & CLAIM_SHARED) != 0;
	return claim;
}

/* Another sender's event with the same id and content as one of ours. */
struct twin {
	char mission[VL_MISSION_MAX + 1];
	struct claim claim;
	struct twin *next;
};

/* Take the same part of a twin that stands no more out of the histories. Where it is damaged in
 * the archive nobody knows which: the rows go on to say that it cannot be read. */
static void remove_twin(struct vl_fold *fold, struct twin *twin, const struct vl_fold_part *part)
{
	const struct vl_fold_part gone = {.first = part->first, .room = part->room};
	struct vl_bytes bytes;
	struct vl_fact fact;

	if (vl_archive_event(fold->txn, twin->mission, vl_views[fold->view]->lane,
			     &twin->claim.place, &bytes) == VL_OK &&
	    vl_fact_read(bytes, twin->mission, &twin->claim.place, true, fold->txn_arena, &fact))
		(void)file_fact(fold, &fact, &twin->claim.place, true, &gone);
	else if (vl_arena_failed(fold->txn_arena))
		vl_txn_fail(fold->txn, VL_ERR_NOMEM);
}

/* Keep an event of somebody else's, or of another lane, that has the id of the one at hand for
 * something else. */
static void add_other(struct vl_fold *fold, struct vl_fold_added *added, const char *mission,
		      size_t view, const struct claim *claim)
{
	struct vl_fold_other *other = vl_arena_alloc(fold->txn_arena, sizeof(*other));

	if (other == NULL)
		return;
	*other = (struct vl_fold_other){
		.view = view, .counted = claim->shared, .next = added->others};
	(void)snprintf(other->mission, sizeof(other->mission), "%s", mission);
	added->others = other;
}

/* Those on other lanes, where an id is another event whatever it says. */
static void find_elsewhere(struct vl_fold *fold, const uint8_t id[16], struct vl_fold_added *added)
{
	struct vl_key prefix;
	struct vl_bytes key, value;

	claim_key(&prefix, id, NULL);
	for (size_t view = 0; fold->claimed >> view != 0; view++) {
		if (view == fold->view || (fold->claimed >> view & 1) == 0)
			continue;
		struct vl_cursor *cursor =
			vl_cursor_open(fold->txn, vl_view_db(view, VL_VIEW_EVENT));
		size_t damaged = 0;
		vl_cursor_pass_over(cursor, vl_key_done(&prefix), vl_cursor_count, &damaged);
		fold->steps++;
		for (bool more = vl_cursor_seek(cursor, vl_key_done(&prefix), &key, &value);
		     more && vl_key_has_prefix(key, vl_key_done(&prefix));
		     more = vl_cursor_next(cursor, &key, &value)) {
			struct claim claim = get_claim(value);
			add_other(fold, added, (const char *)key.data + 16, view, &claim);
		}
		vl_cursor_close(cursor);
		if (damaged > 0)
			vl_renewal_want(fold, view, VL_VIEW_EVENT);
	}
}

/* From now on they are known to share their id. */
static void mark_others(struct vl_fold *fold, const uint8_t id[16],
			const struct vl_fold_added *added)
{
	struct vl_key key;
	struct vl_bytes value;
	uint8_t packed[CLAIM_SIZE];

	for (const struct vl_fold_other *other = added->others; other != NULL;
	     other = other->next) {
		unsigned db = vl_view_db(other->view, VL_VIEW_EVENT);
		claim_key(&key, id, other->mission);
		if (other->counted ||
		    vl_txn_find(fold->txn, db, vl_key_done(&key), &value) != VL_OK)
			continue;
		fold->steps++;
		struct claim claim = get_claim(value);
		claim.shared = true;
		pack_claim(&claim, packed);
		vl_txn_put(fold->txn, db, vl_key_done(&key),
			   (struct vl_bytes){packed, sizeof(packed)});
	}
}

/* The same sender's event with the same id, from a later place than `mine`: the earliest place
 * stands, whichever came first, so that every reading of the same batches gives the same
 * histories. */
static bool replaces(struct vl_fold *fold, const char *mission, const struct claim *ours,
		     const struct claim *mine, struct vl_fold_added *added)
{
	const struct vl_place *a = &mine->place, *b = &ours->place;
	const struct vl_fold_part whole = {.room = UINT32_MAX};
	struct twin later = {.claim = *ours};

	if (a->epoch.n > b->epoch.n || (a->epoch.n == b->epoch.n && a->event.n >= b->event.n))
		return false;
	(void)snprintf(later.mission, sizeof(later.mission), "%s", mission);
	if (ours->stands)
		remove_twin(fold, &later, &whole);
	added->ousts = true;
	added->ousted = *b;
	added->ousted_as = ours->gist == mine->gist ? VL_FOLD_KNOWN : VL_FOLD_REUSED;
	return true;
}

/* Who else has sent this id and content, and on this lane this id alone; *known says that this
 * sender has, and *own is what it claimed. What is damaged is passed over and counted. */
static struct twin *find_twins(struct vl_fold *fold, struct vl_cursor *cursor, const uint8_t id[16],
			       const char *mission, const struct claim *mine, bool *known,
			       struct claim *own, size_t *damaged, struct vl_fold_added *added)
{
	struct vl_key prefix = {0};
	struct vl_bytes key, value;
	struct twin *twins = NULL;

	*known = false;
	*damaged = 0;
	claim_key(&prefix, id, NULL);
	vl_cursor_pass_over(cursor, (struct vl_bytes){0}, vl_cursor_count, damaged);
	for (bool more = vl_cursor_seek(cursor, vl_key_done(&prefix), &key, &value);
	     more && vl_key_has_prefix(key, vl_key_done(&prefix));
	     more = vl_cursor_next(cursor, &key, &value)) {
		const char *other = (const char *)key.data + 16;
		struct claim claim = get_claim(value);
		if (strcmp(other, mission) == 0) {
			*known = true;
			*own = claim;
			continue;
		}
		if (memcmp(claim.content, mine->content, sizeof(mine->content)) != 0) {
			add_other(fold, added, other, fold->view, &claim);
			continue;
		}
		struct twin *twin = vl_arena_alloc(fold->txn_arena, sizeof(*twin));
		if (twin == NULL)
			break;
		*twin = (struct twin){.claim = claim, .next = twins};
		(void)snprintf(twin->mission, sizeof(twin->mission), "%s", other);
		twins = twin;
	}
	return twins;
}

/* One event of all twins stands: that of the least sender id, whichever came first. KNOWN where
 * this is not the one. */
static enum vl_fold_outcome settle_twins(struct vl_fold *fold, const uint8_t id[16],
					 const char *mission, struct claim *mine,
					 struct twin *twins)
{
	mine->stands = true;
	for (struct twin *twin = twins; twin != NULL; twin = twin->next)
		if (strcmp(twin->mission, mission) < 0)
			mine->stands = false;
	for (struct twin *twin = twins; twin != NULL && mine->stands; twin = twin->next)
		if (twin->claim.stands) {
			twin->claim.stands = false;
			put_claim(fold, NULL, id, twin->mission, &twin->claim);
		}
	return mine->stands ? VL_FOLD_NEW : VL_FOLD_KNOWN;
}

/* Look at who else has sent this id. KNOWN where this sender has, or where another's twin of it
 * stands. What is filed in parts is entered with the first, and goes on for as long as it
 * stands. */
static enum vl_fold_outcome enter_claim(struct vl_fold *fold, const uint8_t id[16],
					const char *mission, struct claim *mine, bool goes_on,
					struct twin **twins, struct vl_fold_added *added)
{
	struct vl_cursor *cursor = vl_cursor_open(fold->txn, vl_view_db(fold->view, VL_VIEW_EVENT));
	struct claim own = {.stands = false};
	size_t damaged;
	bool known;

	*twins = find_twins(fold, cursor, id, mission, mine, &known, &own, &damaged, added);
	mine->stands = true;
	bool alone = !known && *twins == NULL && damaged == 0, astray = false;
	if (!known && damaged == 0)
		find_elsewhere(fold, id, added);
	mine->shared = known ? own.shared : added->others != NULL;
	if (alone) {
		put_claim(fold, cursor, id, mission, mine);
		astray = damaged > 0;
	}
	vl_cursor_close(cursor);
	if (astray) {
		vl_renewal_want(fold, fold->view, VL_VIEW_EVENT);
		put_claim(fold, NULL, id, mission, mine);
	} else if (damaged > 0) {
		return VL_FOLD_WAITS;
	}
	if (known)
		added->others = NULL;
	mark_others(fold, id, added);
	if (alone)
		return VL_FOLD_NEW;
	bool same = known && own.place.epoch.n == mine->place.epoch.n &&
		    own.place.event.n == mine->place.event.n;
	if (same)
		return goes_on && own.stands ? VL_FOLD_NEW : VL_FOLD_KNOWN;
	if (known && !replaces(fold, mission, &own, mine, added))
		return own.gist == mine->gist ? VL_FOLD_KNOWN : VL_FOLD_REUSED;
	enum vl_fold_outcome outcome = settle_twins(fold, id, mission, mine, *twins);
	put_claim(fold, NULL, id, mission, mine);
	return outcome;
}

/* The same where what is damaged of the id makes way, as all of it is entered anew; or else
 * waits for that. */
static enum vl_fold_outcome claim_id(struct vl_fold *fold, const uint8_t id[16],
				     const char *mission, struct claim *mine,
				     const struct vl_fold_part *part, struct twin **twins,
				     struct vl_fold_added *added)
{
	bool goes_on = part->first > 0 || part->renew;
	enum vl_fold_outcome outcome = enter_claim(fold, id, mission, mine, goes_on, twins, added);
	unsigned db = vl_view_db(fold->view, VL_VIEW_EVENT);
	struct vl_key key;

	if (outcome != VL_FOLD_WAITS)
		return outcome;
	vl_renewal_want(fold, fold->view, VL_VIEW_EVENT);
	claim_key(&key, id, mission);
	added->others = NULL;
	if (part->renew && vl_txn_weed(fold->txn, db, vl_key_done(&key)))
		return enter_claim(fold, id, mission, mine, goes_on, twins, added);
	return outcome;
}

/* A fact made of an event whose bytes may be gone before settle. */
static const struct vl_fact *make_fact(struct vl_fold *fold, const char *mission,
				       const struct vl_place *place, struct vl_bytes event)
{
	struct vl_arena *arena = fold->txn_arena;
	struct vl_fact *fact = vl_arena_alloc(arena, sizeof(*fact));
	char *sender = vl_arena_text(arena, mission, strlen(mission));
	uint8_t *copy = vl_arena_alloc(arena, event.size);

	if (fact == NULL || sender == NULL || copy == NULL)
		return NULL;
	memcpy(copy, event.data, event.size);
	return vl_fact_read((struct vl_bytes){copy, event.size}, sender, place, false, arena, fact)
		       ? fact
		       : NULL;
}

void vl_fold_add_event(struct vl_fold *fold, size_t view, const char *mission,
		       const struct vl_place *place, struct vl_bytes event,
		       const struct vl_fact *read, struct vl_fold_part *part,
		       struct vl_fold_added *added)
{
	struct claim claim = {.place = *place};
	struct twin *twins;
	uint32_t go_on = 0;

	fold->view = view;
	fold->steps++;
	*added = (struct vl_fold_added){.outcome = VL_FOLD_UNREAD};
	if (read == NULL)
		read = make_fact(fold, mission, place, event);
	if (read != NULL && read->payload != NULL &&
	    !vl_event_id_is_one((struct vl_bytes){read->id, 16})) {
		added->outcome = VL_FOLD_NIL;
	} else if (read != NULL && read->payload != NULL) {
		claim.place.sum = vl_checksum(event);
		if (read->content != NULL)
			memcpy(claim.content, read->content, VL_CONTENT_SIZE);
		else
			vl_event_content(event, claim.content);
		claim.gist = read->gist;
		added->outcome = claim_id(fold, read->id, mission, &claim, part, &twins, added);
		for (; added->outcome == VL_FOLD_NEW && twins != NULL; twins = twins->next)
			remove_twin(fold, twins, part);
		if (added->outcome == VL_FOLD_NEW)
			go_on = file_fact(fold, read, &claim.place, false, part);
	}
	part->first = go_on;
	if (vl_arena_failed(fold->txn_arena))
		vl_txn_fail(fold->txn, VL_ERR_NOMEM);
}
