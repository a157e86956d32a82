/*
 * A ledger with something in nearly every database, and a disk that damages an entry of it, for
 * tests of headquarters.
 *
 * Next: hq_fake_agent.h, headquarters' agent.
 */
#ifndef VALISE_TESTS_HQ_SCENE_H
#define VALISE_TESTS_HQ_SCENE_H

#include "hq_pulse_world.h"

#define EVACUATIONS "consular.evacuation.v1"
#define MOST_VIEWS 16

struct scene {
	struct world w;
	struct sender sd, et;
	struct vl_buf sound; /* data.mdb, undamaged */
	int64_t offset;
	struct sent *later[9];
	size_t n_later;
	/* Of the undamaged ledger, as it is and after more records have come. */
	struct vl_digest now[MOST_VIEWS], then[MOST_VIEWS];
	struct vl_standing standing;
	/* harms tried; and those after which a whole view was written anew */
	unsigned trials, disorders;
};

/* Fixtures: *state is a scene. */
int scene_setup(void **state);
int scene_teardown(void **state);

/* Back to the undamaged ledger, which is closed. And make the present ledger, closed, the
 * undamaged one. */
void scene_restore(struct scene *c);
void scene_keep(struct scene *c);

/* Bring the later records, undamaged. */
void scene_bring_later(struct scene *c);

/* A chain of its own for another lane; one who boards. */
struct sender scene_on_lane(const struct sender *s, uint64_t epoch);
struct sent *scene_board(struct sender *s, uint64_t id, unsigned n, const char *leg);

/* The damage to an entry. */
enum harm { FIRST_BIT, WORD, GARBLED, SHORTER, KEY_FIRST, KEY_MIDDLE, KEY_LAST, HARMS };
extern const char *const scene_harms[];

/* The undamaged ledger, closed, with this harm done to the entry where it lies in the file.
 * False where the database has no such entry, or it lies on pages of its own. */
bool scene_spoil(struct scene *c, unsigned db, size_t index, enum harm harm);

#endif
