#include "agent/flight.h"

#include <stdlib.h>

#define NONE SIZE_MAX
#define FAIR_TURN 8
#define ASIDE_MIN_MS 1000
#define ASIDE_MAX_MS 60000

enum fate { IN_FLIGHT, ACKED, REFUSED };

struct record {
	size_t lane, bytes;
	struct vl_place place;
	int64_t sent_ms;
	bool beside; /* the window */
	enum fate fate;
	size_t next; /* of the same lane, or the next free one */
};

/* Of a stretch that is sent again. */
enum again { NOT_AGAIN, WAITS, UNDER_WAY };

struct lane {
	enum vl_precedence precedence;
	enum vl_class class;
	bool addressed, proven; /* proven: something was acked, so that its topic is there */
	struct vl_place sent, acked;
	size_t first, last; /* its records in flight, in order */
	bool waiting, news;
	bool rewinding; /* refused: it goes back to `acked` once nothing of it is in flight */
	bool broken;    /* what follows the refused one does not count as acked */
	enum again again;
	struct vl_place again_after, again_to; /* the stretch */
	struct vl_place resume;                /* where the lane was before it */
	int64_t aside_until, aside_ms;
	uint64_t turn; /* when it was last served */
};

struct vl_flight {
	struct vl_window windows[VL_CLASSES];
	uint64_t turns[VL_CLASSES];
	size_t n_records, n_beside, free;
	struct record records[VL_FLIGHT_RECORDS];
	size_t n_lanes, room;
	struct lane *lanes;
};

struct vl_flight *vl_flight_open(const struct vl_lane *lanes, size_t n_lanes)
{
	struct vl_flight *flight = calloc(1, sizeof(*flight));

	if (flight == NULL)
		return NULL;
	for (size_t i = 0; i < n_lanes; i++)
		if (!vl_flight_add(flight, &lanes[i])) {
			vl_flight_close(flight);
			return NULL;
		}
	for (size_t i = 0; i < VL_FLIGHT_RECORDS; i++)
		flight->records[i].next = i + 1 < VL_FLIGHT_RECORDS ? i + 1 : NONE;
	vl_flight_restart(flight, VL_URGENT);
	vl_flight_restart(flight, VL_BULK);
	return flight;
}

void vl_flight_close(struct vl_flight *flight)
{
	if (flight == NULL)
		return;
	free(flight->lanes);
	free(flight);
}

bool vl_flight_add(struct vl_flight *flight, const struct vl_lane *known)
{
	if (flight->n_lanes == flight->room) {
		size_t room = flight->room > 0 ? flight->room * 2 : 16;
		struct lane *lanes = reallocarray(flight->lanes, room, sizeof(*lanes));
		if (lanes == NULL)
			return false;
		flight->lanes = lanes;
		flight->room = room;
	}
	flight->lanes[flight->n_lanes++] = (struct lane){
		.precedence = known->precedence,
		.class = vl_class_of(known),
		.addressed = known->addressed,
		.first = NONE,
		.last = NONE,
		.waiting = true,
	};
	return true;
}

void vl_flight_start(struct vl_flight *flight, size_t lane, struct vl_place acked)
{
	flight->lanes[lane].sent = flight->lanes[lane].acked = acked;
}

void vl_flight_wake(struct vl_flight *flight)
{
	for (size_t i = 0; i < flight->n_lanes; i++)
		flight->lanes[i].waiting = true;
}

void vl_flight_empty(struct vl_flight *flight, size_t lane)
{
	flight->lanes[lane].waiting = false;
}

enum vl_class vl_flight_class(const struct vl_flight *flight, size_t lane)
{
	return flight->lanes[lane].class;
}

static bool unproven(const struct lane *lane)
{
	return lane->addressed && !lane->proven;
}

static bool has_turn(const struct vl_flight *flight, const struct lane *lane, int64_t now_ms)
{
	if (unproven(lane) && (lane->first != NONE || flight->n_beside >= VL_FLIGHT_BESIDE))
		return false;
	return lane->waiting && !lane->rewinding && lane->again != WAITS &&
	       now_ms >= lane->aside_until;
}

bool vl_flight_next(const struct vl_flight *flight, enum vl_class class, int64_t now_ms,
		    size_t *next)
{
	bool fair = flight->turns[class] % FAIR_TURN == FAIR_TURN - 1;
	const struct lane *best = NULL;

	for (size_t i = 0; i < flight->n_lanes; i++) {
		const struct lane *lane = &flight->lanes[i];
		if (lane->class != class || !has_turn(flight, lane, now_ms))
			continue;
		if (best == NULL || (!fair && lane->precedence < best->precedence) ||
		    ((fair || lane->precedence == best->precedence) && lane->turn < best->turn)) {
			best = lane;
			*next = i;
		}
	}
	return best != NULL;
}

struct vl_place vl_flight_sent_to(const struct vl_flight *flight, size_t lane)
{
	return flight->lanes[lane].sent;
}

static struct vl_window *window_of(struct vl_flight *flight, size_t lane)
{
	return &flight->windows[flight->lanes[lane].class];
}

static bool goes_beside(const struct lane *lane, size_t bytes)
{
	return unproven(lane) && bytes <= VL_FLIGHT_BESIDE_BYTES;
}

bool vl_flight_allows(struct vl_flight *flight, size_t lane, size_t bytes)
{
	size_t kept = flight->lanes[lane].class == VL_URGENT ? 0 : VL_FLIGHT_URGENT;

	return flight->n_records + kept < VL_FLIGHT_RECORDS &&
	       (goes_beside(&flight->lanes[lane], bytes) ||
		vl_window_allows(window_of(flight, lane), bytes));
}

size_t vl_flight_sent(struct vl_flight *flight, size_t index, struct vl_place place, size_t bytes,
		      int64_t now_ms)
{
	struct lane *lane = &flight->lanes[index];
	size_t tag = flight->free;
	struct record *record = &flight->records[tag];

	flight->free = record->next;
	flight->n_records++;
	*record = (struct record){index,     bytes, place, now_ms, goes_beside(lane, bytes),
				  IN_FLIGHT, NONE};
	flight->n_beside += record->beside;
	if (lane->first == NONE)
		lane->first = tag;
	else
		flight->records[lane->last].next = tag;
	lane->last = tag;
	lane->sent = place;
	if (lane->again == UNDER_WAY && !vl_place_later(lane->again_to, place)) {
		lane->again = NOT_AGAIN;
		if (vl_place_later(lane->resume, place))
			lane->sent = lane->resume;
	}
	lane->turn = ++flight->turns[lane->class];
	if (!record->beside)
		vl_window_sent(window_of(flight, index), bytes);
	return tag;
}

static void take_first(struct vl_flight *flight, struct lane *lane)
{
	struct record *record = &flight->records[lane->first];
	size_t next = record->next;

	record->next = flight->free;
	flight->free = lane->first;
	flight->n_records--;
	flight->n_beside -= record->beside;
	lane->first = next;
}

/* What is sent again was acked once: where nothing is in flight, `sent` is as far as that goes. */
static void begin_again(struct lane *lane)
{
	if (lane->again != WAITS || lane->first != NONE)
		return;
	lane->again = vl_place_later(lane->sent, lane->again_after) ? UNDER_WAY : NOT_AGAIN;
	if (lane->again == NOT_AGAIN)
		return;
	lane->resume = lane->sent;
	if (vl_place_later(lane->again_to, lane->sent))
		lane->again_to = lane->sent;
	lane->sent = lane->again_after;
	lane->waiting = true;
}

/* A lane's records leave in order, however they were answered. */
static void settle(struct vl_flight *flight, struct lane *lane)
{
	while (lane->first != NONE && flight->records[lane->first].fate != IN_FLIGHT) {
		const struct record *record = &flight->records[lane->first];
		lane->broken |= record->fate == REFUSED;
		if (!lane->broken) {
			lane->news |= vl_place_later(record->place, lane->acked);
			if (vl_place_later(record->place, lane->acked))
				lane->acked = record->place;
			if (!lane->rewinding)
				lane->aside_ms = 0;
		}
		take_first(flight, lane);
	}
	if (lane->rewinding && lane->first == NONE) {
		lane->rewinding = lane->broken = false;
		lane->again = NOT_AGAIN;
		lane->sent = lane->acked;
		lane->waiting = true;
	}
	begin_again(lane);
}

size_t vl_flight_acked(struct vl_flight *flight, size_t tag, int64_t now_ms)
{
	struct record *record = &flight->records[tag];
	size_t lane = record->lane;

	record->fate = ACKED;
	flight->lanes[lane].proven = true;
	if (!record->beside)
		vl_window_acked(window_of(flight, lane), record->bytes, now_ms - record->sent_ms);
	settle(flight, &flight->lanes[lane]);
	return lane;
}

static void set_aside(struct lane *lane, int64_t now_ms)
{
	if (now_ms < lane->aside_until)
		return;
	lane->aside_ms = vl_back_off(lane->aside_ms, ASIDE_MIN_MS, ASIDE_MAX_MS);
	lane->aside_until = now_ms + lane->aside_ms;
}

size_t vl_flight_refused(struct vl_flight *flight, size_t tag, int64_t now_ms)
{
	struct record *record = &flight->records[tag];
	size_t lane = record->lane;

	record->fate = REFUSED;
	flight->lanes[lane].proven = false;
	if (!record->beside)
		vl_window_acked(window_of(flight, lane), record->bytes, INT64_MAX);
	set_aside(&flight->lanes[lane], now_ms);
	flight->lanes[lane].rewinding = true;
	settle(flight, &flight->lanes[lane]);
	return lane;
}

void vl_flight_set_aside(struct vl_flight *flight, size_t lane, int64_t now_ms)
{
	set_aside(&flight->lanes[lane], now_ms);
}

bool vl_flight_go_back(struct vl_flight *flight, size_t index, struct vl_place place)
{
	struct lane *lane = &flight->lanes[index];

	if (lane->first != NONE)
		return false;
	lane->sent = lane->acked = place;
	lane->again = NOT_AGAIN;
	lane->waiting = true;
	return true;
}

bool vl_flight_send_again(struct vl_flight *flight, size_t index, struct vl_place after,
			  struct vl_place to)
{
	struct lane *lane = &flight->lanes[index];

	if (lane->again != NOT_AGAIN || !vl_place_later(lane->sent, after))
		return false;
	lane->again = WAITS;
	lane->again_after = after;
	lane->again_to = to;
	begin_again(lane);
	return true;
}

void vl_flight_restart(struct vl_flight *flight, enum vl_class class)
{
	flight->windows[class] = vl_window_start();
	for (size_t i = 0; i < flight->n_lanes; i++) {
		struct lane *lane = &flight->lanes[i];
		if (lane->class != class)
			continue;
		while (lane->first != NONE)
			take_first(flight, lane);
		lane->sent = lane->acked;
		lane->proven = lane->rewinding = lane->broken = false;
		lane->again = NOT_AGAIN;
		lane->waiting = true;
	}
}

void vl_flight_line(struct vl_flight *flight, enum vl_class class, uint64_t rate)
{
	vl_window_line(&flight->windows[class], rate);
}

struct vl_place vl_flight_acked_to(struct vl_flight *flight, size_t lane, bool *news)
{
	*news = flight->lanes[lane].news;
	flight->lanes[lane].news = false;
	return flight->lanes[lane].acked;
}

void vl_flight_not_told(struct vl_flight *flight, size_t lane)
{
	flight->lanes[lane].news = true;
}

size_t vl_flight_age(struct vl_flight *flight, enum vl_class class, int64_t now_ms,
		     int64_t *oldest_ms)
{
	struct vl_window *window = &flight->windows[class];
	int64_t oldest_within = 0;
	size_t beside = 0;

	*oldest_ms = 0;
	for (size_t i = 0; i < flight->n_lanes; i++) {
		size_t first = flight->lanes[i].first;
		if (flight->lanes[i].class != class || first == NONE)
			continue;
		const struct record *record = &flight->records[first];
		int64_t age_ms = now_ms - record->sent_ms;
		beside += record->beside ? record->bytes : 0;
		if (age_ms > *oldest_ms)
			*oldest_ms = age_ms;
		if (!record->beside && age_ms > oldest_within)
			oldest_within = age_ms;
	}
	vl_window_age(window, oldest_within, now_ms);
	return window->in_flight + beside;
}

bool vl_flight_idle(const struct vl_flight *flight)
{
	return flight->n_records == 0;
}

int64_t vl_flight_wait(const struct vl_flight *flight, int64_t now_ms)
{
	int64_t wait = -1;

	for (size_t i = 0; i < flight->n_lanes; i++) {
		int64_t left = flight->lanes[i].aside_until - now_ms;
		if (left > 0 && (wait < 0 || left < wait))
			wait = left;
	}
	return wait;
}
