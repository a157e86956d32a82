/*
 * Random histories of a lane in the fake engine: a few subjects, missions and places, every type of
 * event, fields of ordinary and of absurd values. The same seed gives the same history.
 */
#ifndef VALISE_TESTS_VIEW_HISTORY_H
#define VALISE_TESTS_VIEW_HISTORY_H

#include "view_fake.h"

/* Add the history of `seed` to a fake of the lane's view. */
void history_add(struct fake *fake, const char *lane, uint64_t seed);

#endif
