/*
 * How many registered travellers are in a place: what other views ask the view of travellers.
 *
 * Next: traveller.c, the view.
 */
#ifndef VALISE_HQ_VIEWS_TRAVELLER_THERE_H
#define VALISE_HQ_VIEWS_TRAVELLER_THERE_H

#include "base/clock.h"
#include "consular/traveller/v1/view.pb-c.h"

#define TRAVELLER_LANE "consular.traveller.v1"

/* The people who are there at the time, by the days of a place (PlaceRow.days), in their order. */
int64_t vl_traveller_there(size_t count, Consular__Traveller__V1__Day *const *days,
			   struct vl_time now);

#endif
