/*
 * The view of consular.loan.v1.
 *
 *   loan      one loan                    key: its number
 *   country   the numbers of a country    key: the country
 *   board     all numbers                 key: "all"
 */
#include "hq/fold/declare.h"

#include "consular/loan/v1/short.h"

/* clang-format off */

enum { LOAN, COUNTRY, BOARD, STRAY, KINDS };

static const struct vl_route routes[] = {
	{MESSAGE(FundsCounted), COUNTRY, F(FundsCounted, country)},
	{OTHER_EVENTS, LOAN, SUBJECT},
	END,
};
static const ProtobufCMessageDescriptor *const ignored[] = {MESSAGE(NoteMade), NULL};

static const struct vl_set sets[] = {
	/* event                  from the event               to the row                 which */
	{MESSAGE(LoanRequested),  OCCURRED,                    F(LoanRow, requested_at),  VL_FIRST},
	{MESSAGE(LoanRequested),  F(LoanRequested, country),   F(LoanRow, country),       VL_LAST},
	{MESSAGE(LoanRequested),  F(LoanRequested, purpose),   F(LoanRow, purpose),       VL_LAST},
	{MESSAGE(LoanRequested), F(LoanRequested, amount), F(LoanRow, asked), VL_EXACTLY},
	{MESSAGE(LoanPaid), F(LoanPaid, amount), F(LoanRow, paid), VL_GREATEST},
	{MESSAGE(LoanRepaid), F(LoanRepaid, amount), F(LoanRow, repaid), VL_GREATEST},
	{MESSAGE(LoanWrittenOff), TYPE,                        F(LoanRow, written_off),   VL_SET},
	{MESSAGE(LoanRepaid),     TYPE,                        F(LoanRow, written_off),   VL_CLEAR},
	{ANY_EVENT,               MISSION,                     F(LoanRow, mission),       VL_FIRST},
	{ANY_EVENT, ACTOR, F(LoanRow, officers), VL_APPEND},
	{ANY_EVENT, OCCURRED, F(LoanRow, last_event_at), VL_GREATEST},
	{ANY_EVENT,               TYPE,                        F(LoanRow, last_event),    VL_LAST},
	{ANY_EVENT,               TYPE,                        F(LoanRow, events),        VL_COUNT},
	END,
};

static const struct vl_move moves[] = {
	{MESSAGE(LoanRequested),  STATE(LOAN_STATE_UNSPECIFIED), LOAN_STATE_REQUESTED,   "L1"},
	{MESSAGE(LoanApproved),   STATE(LOAN_STATE_REQUESTED),   LOAN_STATE_APPROVED,    "L1"},
	{MESSAGE(LoanRefused),    STATE(LOAN_STATE_REQUESTED),   LOAN_STATE_REFUSED,     "L1"},
	{MESSAGE(LoanPaid),       STATE(LOAN_STATE_APPROVED),    LOAN_STATE_PAID,        "L1"},
	{MESSAGE(LoanRepaid),     STATE(LOAN_STATE_PAID) | STATE(LOAN_STATE_WRITTEN_OFF),
	 LOAN_STATE_REPAID, "L1"},
	{MESSAGE(LoanWrittenOff), STATE(LOAN_STATE_PAID),        LOAN_STATE_WRITTEN_OFF, "L1"},
	END,
};

static const struct vl_clock_rule clocks[] = {
	{"answer", MESSAGE(LoanRequested), 3 * 86400, {0},
	 MESSAGE(LoanApproved), MESSAGE(LoanRefused), "L3"},
	{"repay", MESSAGE(LoanPaid), 0, F(LoanPaid, due_at),
	 MESSAGE(LoanRepaid), MESSAGE(LoanWrittenOff), "L5"},
	END,
};

static bool too_much(const ProtobufCMessage *row)
{
	const LoanRow *loan = (const void *)row;
	return loan->repaid > loan->paid;
}
static bool waiting(const ProtobufCMessage *row)
{
	return ((const LoanRow *)(const void *)row)->state <= LOAN_STATE_REQUESTED;
}
static bool refused(const ProtobufCMessage *row)
{
	return ((const LoanRow *)(const void *)row)->state == LOAN_STATE_REFUSED;
}
static bool granted(const ProtobufCMessage *row)
{
	return !waiting(row) && !refused(row);
}

static const struct vl_rule rules[] = {{"L2", "more came back than was paid", IF(too_much)}, END};
static const struct vl_rule number_rules[] = {
	{"L4", "loans asked for are not waiting, granted or refused", .sum = F(NumbersRow, loans),
	 .parts = {F(NumbersRow, waiting), F(NumbersRow, granted), F(NumbersRow, refused)}},
	END,
};

static const struct vl_sum sums[] = {
	{F(NumbersRow, loans)},
	{F(NumbersRow, waiting), .when = IF(waiting)},
	{F(NumbersRow, granted), .when = IF(granted)},
	{F(NumbersRow, refused), .when = IF(refused)},
	{F(NumbersRow, paid), F(LoanRow, paid)},
	{F(NumbersRow, repaid), F(LoanRow, repaid)},
	{F(NumbersRow, by_purpose), .group = F(LoanRow, purpose)},
	{F(NumbersRow, violations_by_rule), .group = BROKEN_RULES},
	END,
};
static const struct vl_target targets[] = {
	{COUNTRY, .key = F(LoanRow, country), .sums = sums},
	{BOARD, .fixed = "all", .sums = sums},
	END,
};
static const struct vl_set country_sets[] = {
	{MESSAGE(FundsCounted), F(FundsCounted, funds), F(NumbersRow, funds), VL_LAST}, END};

static const struct vl_column columns[] = {
	KEY_COLUMN("LOAN"), COLUMN("STATE", LoanRow, state), COLUMN("COUNTRY", LoanRow, country),
	COLUMN("PAID", LoanRow, paid), COLUMN("SINCE", LoanRow, requested_at), DUE_COLUMN("DUE"),
	COLUMN("BREAKS", LoanRow, violations), END};
static const struct vl_column number_columns[] = {
	KEY_COLUMN("KEY"), COLUMN("LOANS", NumbersRow, loans),
	COLUMN("WAITING", NumbersRow, waiting),
	COLUMN("BY PURPOSE", NumbersRow, by_purpose),
	COLUMN("BREAKS", NumbersRow, violations_by_rule),
	END,
};

static const struct vl_kind kinds[KINDS] = {
	[LOAN] = {.name = "loan", .row = MESSAGE(LoanRow), .sets = sets,
		  .state = F(LoanRow, state), .moves = moves, .clocks = clocks,
		  .rules = rules, .targets = targets, .columns = columns,
		  .done = STATE(LOAN_STATE_REFUSED) | STATE(LOAN_STATE_REPAID)},
	[COUNTRY] = {.name = "country", .row = MESSAGE(NumbersRow), .sets = country_sets,
		     .rules = number_rules, .columns = number_columns},
	[BOARD] = {.name = "board", .row = MESSAGE(NumbersRow), .rules = number_rules,
		   .columns = number_columns},
	[STRAY] = VL_STRAY_KIND,
};

const struct vl_view vl_view_loan = {
	.lane = "consular.loan.v1", .noun = "loan", .kinds = kinds, .n_kinds = KINDS, .shown = LOAN,
	.references = true, .routes = routes, .ignored = ignored,
};
