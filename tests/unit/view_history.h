/*
 * Random histories of a lane in the fake engine. A history has a few subjects, missions and places
 * and every type of event, with ordinary and absurd values. The same seed gives the same history.
 *
 * Next: view_fake_in.h, what the fake keeps.
 */
#ifndef VALISE_TESTS_VIEW_HISTORY_H
#define VALISE_TESTS_VIEW_HISTORY_H

#include "view_fake.h"

/* Add the history of `seed` to a fake of the lane's view. */
void history_add(struct fake *fake, const char *lane, uint64_t seed);

#endif
