/*
 * A small engine in memory behind services/hq/fold/view.h, so that a view can be tested without a
 * store.
 *
 * Facts are added in any order. fake_fold folds the entities of the facts added since the last
 * call, rank by rank. So one call at the end is a rebuild, and one call after each fact is a live
 * headquarters. Both must end in the same bytes: fake_converges tries that on shuffled copies.
 * Everything is freed with the fake. Failures end the process.
 *
 * Next: view_history.h, random facts.
 */
#ifndef VALISE_TESTS_VIEW_FAKE_H
#define VALISE_TESTS_VIEW_FAKE_H

#include "hq/fold/declare.h"

struct fake;

struct fake *fake_open(const struct vl_view *view);
void fake_close(struct fake *fake);

/* Another lane beside it, made if there is none yet. Rows of either may look up rows of the other.
 * The fake that was opened first folds, compares and closes all of them. */
struct fake *fake_beside(struct fake *fake, const struct vl_view *view);

/* Add a fact; `payload` is packed at once. Returns its id, which a later fact may name as
 * `after`. It has 16 bytes, the same for the same mission, epoch and event, and is valid while
 * the fake is. The same id twice is one fact. `after` may be NULL. */
const uint8_t *fake_add(struct fake *fake, const char *mission, uint64_t epoch, uint64_t event,
			int64_t occurred_ms, const char *subject, const char *actor,
			const uint8_t *after, const ProtobufCMessage *payload);

/* The same in the mission's epoch 1, with the number after its last one. */
const uint8_t *fake_next(struct fake *fake, const char *mission, int64_t occurred_ms,
			 const char *subject, const char *actor, const uint8_t *after,
			 const ProtobufCMessage *payload);

void fake_fold(struct fake *fake);

/* The present row, or NULL; valid while the fake is. */
const ProtobufCMessage *fake_row(struct fake *fake, unsigned kind, const char *key);

/* The present tally. */
int64_t fake_tally(struct fake *fake, unsigned kind, const char *key, const char *name);

/* Every row and tally, one after another with its kind and key, to compare two folds. */
void fake_packed(struct fake *fake, struct vl_buf *buf);

/* A new fake with the same facts in an order shuffled by `seed`, every third twice; folded after
 * each fact when `live`, else once. */
struct fake *fake_shuffled(const struct fake *fake, uint64_t seed, bool live);

/* Folds, then compares with `rounds` shuffled copies, live and rebuilt; prints the seed of one
 * that differs. */
bool fake_converges(struct fake *fake, uint64_t seed, unsigned rounds);

/* How many violations of `rule` a row's field `violations` lists; all of them for NULL. */
unsigned fake_violations(const ProtobufCMessage *row, const char *rule);

/* What a column of `ls` prints; valid until the next call. */
const char *fake_cell(struct fake *fake, unsigned kind, const char *key, const char *title,
		      struct vl_time now);

#endif
