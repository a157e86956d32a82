/*
 * A scenario played at headquarters: its events signed by their missions, one batch each, and
 * brought in an order.
 *
 * Next: scenario.h, what a scenario says.
 */
#ifndef VALISE_TESTS_VIEWS_PLAY_H
#define VALISE_TESTS_VIEWS_PLAY_H

#include "hq_world.h"
#include "scenario.h"

#define PLAY_POSTS 16

/* A mission on one lane: there it has a chain of its own. */
struct play_post {
	struct sender sender;
	size_t view;
};

struct play {
	struct scenario s;
	struct world world;
	size_t view; /* the lane of its first event */
	struct play_post posts[PLAY_POSTS];
	size_t n_posts;
	struct sent **sent; /* one for each event */
};

/* A world with an empty ledger, and nothing brought. */
void play_open(struct play *p, const char *path);
void play_close(struct play *p);

/* Sign event `n` as the next of its mission, or in its place one of a type that no version knows.
 * If n_posts is 0, each mission begins again. */
struct sent *play_sign(struct play *p, size_t n, bool readable);

/* Put `order` into an order of `n` that follows from the seed; 0: as they are. */
void play_shuffle(size_t *order, size_t n, uint64_t seed);

/* Bring all in the order of the seed, each third twice, and do what is still to be done. */
void play_all(struct play *p, uint64_t seed);

#endif
