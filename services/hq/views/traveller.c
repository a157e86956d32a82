/*
 * The view of consular.traveller.v1: which fact belongs to what, and the kinds of row in their
 * rank.
 *
 * asked      the checks that ask about a place                one a place traveller  a
 * registration, its trips, its answers           one a reference check      how many are safe,
 * in need of help, silent       one a check place      who arrives and leaves, day by day
 * one a place board      the numbers                                      one a mission, and
 * "all"
 *
 * Travellers read which checks ask about their places, and tell check, place and board as
 * tallies, so that no row walks the travellers. One thing travels otherwise: when a check is
 * opened, those in its place have to be folded again, and the place knows them by tallies
 * "member/T-17" that they left.
 */
#include "hq/views/traveller.h"

#include "consular/traveller/v1/short.h"

static const struct vl_route routes[] = {
	{MESSAGE(SafetyCheckOpened), TRAVELLER_KIND_CHECK, SUBJECT},
	{MESSAGE(SafetyCheckOpened), TRAVELLER_KIND_ASKED, F(SafetyCheckOpened, place)},
	{MESSAGE(SafetyCheckClosed), TRAVELLER_KIND_CHECK, SUBJECT},
	{OTHER_EVENTS, TRAVELLER_KIND_TRAVELLER, SUBJECT},
	END,
};

/* -- the numbers -- */

static bool registered(const ProtobufCMessage *row)
{
	return ((const TravellerRow *)(const void *)row)->state == REGISTRATION_STATE_REGISTERED;
}

static bool withdrawn(const ProtobufCMessage *row)
{
	return !registered(row) && ((const TravellerRow *)(const void *)row)->withdrawn_at != NULL;
}

static bool unregistered(const ProtobufCMessage *row)
{
	return !registered(row) && !withdrawn(row);
}

static const struct vl_sum board_sums[] = {
	{F(BoardRow, registered), .when = IF(registered)},
	{F(BoardRow, withdrawn), .when = IF(withdrawn)},
	{F(BoardRow, unregistered), .when = IF(unregistered)},
	{F(BoardRow, people), F(TravellerRow, people), .when = IF(registered)},
	{F(BoardRow, people_by_kind), F(TravellerRow, people), F(TravellerRow, kind),
	 IF(registered)},
	{F(BoardRow, violations_by_rule), .group = BROKEN_RULES},
	END,
};

static const struct vl_target traveller_targets[] = {
	{TRAVELLER_KIND_BOARD, .fixed = TRAVELLER_BOARD_ALL, .sums = board_sums},
	{TRAVELLER_KIND_BOARD, .key = F(TravellerRow, mission), .sums = board_sums},
	END,
};

static const struct vl_sum check_sums[] = {{F(BoardRow, violations_by_rule), .group = BROKEN_RULES},
					   END};

static const struct vl_target check_targets[] = {
	{TRAVELLER_KIND_BOARD, .fixed = TRAVELLER_BOARD_ALL, .sums = check_sums},
	END,
};

static const struct vl_kind kinds[TRAVELLER_KINDS] = {
	[TRAVELLER_KIND_ASKED] = {.name = "asked",
				  .row = TRAVELLER_DESCRIPTOR(asked_row),
				  .step = vl_traveller_asked_step,
				  .finish = vl_traveller_asked_finish,
				  .contribute = vl_traveller_asked_contribute,
				  .columns = vl_traveller_asked_columns},
	[TRAVELLER_KIND_TRAVELLER] = {.name = "traveller",
				      .row = TRAVELLER_DESCRIPTOR(traveller_row),
				      .step = vl_traveller_step,
				      .finish = vl_traveller_finish,
				      .contribute = vl_traveller_contribute,
				      .targets = traveller_targets,
				      .columns = vl_traveller_columns,
				      .listed = vl_traveller_listed,
				      .dated = true},
	[TRAVELLER_KIND_CHECK] = {.name = "check",
				  .row = TRAVELLER_DESCRIPTOR(check_row),
				  .step = vl_traveller_check_step,
				  .finish = vl_traveller_check_finish,
				  .targets = check_targets,
				  .columns = vl_traveller_check_columns,
				  .listed = vl_traveller_check_listed},
	[TRAVELLER_KIND_PLACE] = {.name = "place",
				  .row = TRAVELLER_DESCRIPTOR(place_row),
				  .finish = vl_traveller_place_finish,
				  .dated = true,
				  .columns = vl_traveller_place_columns,
				  .listed = vl_traveller_place_listed},
	[TRAVELLER_KIND_BOARD] = {.name = "board",
				  .row = TRAVELLER_DESCRIPTOR(board_row),
				  .columns = vl_traveller_board_columns},
	[TRAVELLER_KIND_STRAY] = VL_STRAY_KIND,
};

const struct vl_view vl_view_traveller = {
	.lane = "consular.traveller.v1",
	.noun = "traveller",
	.kinds = kinds,
	.n_kinds = TRAVELLER_KINDS,
	.shown = TRAVELLER_KIND_TRAVELLER,
	.references = true,
	.routes = routes,
};
