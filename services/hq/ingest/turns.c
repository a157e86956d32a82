#include "hq/ingest/turns.h"

#include "base/checksum.h"
#include "bus/types.h"
#include "hq/ledger/ledger.h"

#include <stdlib.h>
#include <string.h>

#define NONE (-1)
#define ROUND 4 /* one turn in so many is for whoever is next, urgent or not */

struct place {
	int next; /* slot of the same queue */
	size_t cost;
	bool ready;
};

/* Of what there are turns. */
enum turn { VERIFY, APPLY, TURNS };

/* One sender's records in one partition: [first ... verify ... last]; those before `verify` are
 * verified or under way. */
struct queue {
	char *topic;
	size_t size;
	int32_t partition;
	uint64_t sender; /* a sum of the record's key: two of one sum share a queue */
	enum vl_precedence precedence;
	int first, verify, last;
	size_t cost;           /* of those that are here */
	uint64_t spent[TURNS]; /* what its records have cost, as if it had always had some */
};

struct round {
	size_t after;   /* the queue whose turn it was */
	uint64_t floor; /* what that queue had spent before */
	unsigned turn;
};

struct vl_turns {
	struct place *places; /* by slot */
	struct queue *queues;
	size_t n, room;
	struct round rounds[TURNS];
	bool alone; /* the last one applied */
};

struct vl_turns *vl_turns_open(unsigned slots)
{
	struct vl_turns *turns = calloc(1, sizeof(*turns));

	if (turns == NULL)
		return NULL;
	turns->places = calloc(slots, sizeof(*turns->places));
	if (turns->places == NULL) {
		vl_turns_close(turns);
		return NULL;
	}
	return turns;
}

void vl_turns_close(struct vl_turns *turns)
{
	if (turns == NULL)
		return;
	for (size_t i = 0; i < turns->n; i++)
		free(turns->queues[i].topic);
	free(turns->queues);
	free(turns->places);
	free(turns);
}

/* *empty: one that may be another's, too. */
static struct queue *find(const struct vl_turns *turns, struct vl_bytes topic, int32_t partition,
			  uint64_t sender, struct queue **empty)
{
	*empty = NULL;
	for (size_t i = 0; i < turns->n; i++) {
		struct queue *queue = &turns->queues[i];
		if (queue->partition == partition && queue->sender == sender &&
		    queue->size == topic.size && memcmp(queue->topic, topic.data, topic.size) == 0)
			return queue;
		if (queue->first == NONE)
			*empty = queue;
	}
	return NULL;
}

static struct queue *add(struct vl_turns *turns)
{
	if (turns->n == turns->room) {
		size_t room = turns->room == 0 ? 16 : 2 * turns->room;
		struct queue *larger = realloc(turns->queues, room * sizeof(*larger));
		if (larger == NULL)
			return NULL;
		turns->queues = larger;
		turns->room = room;
	}
	struct queue *queue = &turns->queues[turns->n++];
	*queue = (struct queue){.first = NONE, .verify = NONE, .last = NONE};
	return queue;
}

/* There are never more queues than slots: one that has nothing in it becomes another's. */
static bool rename_queue(struct queue *queue, struct vl_bytes topic, int32_t partition,
			 uint64_t sender)
{
	char *copy = malloc(topic.size + 1);
	if (copy == NULL)
		return false;
	memcpy(copy, topic.data, topic.size);
	copy[topic.size] = '\0';
	const struct vl_lane *lane = vl_lane_find(copy, topic.size);
	free(queue->topic);
	*queue = (struct queue){.topic = copy,
				.size = topic.size,
				.partition = partition,
				.sender = sender,
				.precedence = lane != NULL ? lane->precedence : VL_ROUTINE,
				.first = NONE,
				.verify = NONE,
				.last = NONE};
	return true;
}

/* Nobody saves up turns while there is nothing of it here. */
static void begin_at_floor(const struct vl_turns *turns, struct queue *queue, enum turn turn)
{
	if (queue->spent[turn] < turns->rounds[turn].floor)
		queue->spent[turn] = turns->rounds[turn].floor;
}

bool vl_turns_put(struct vl_turns *turns, unsigned slot, struct vl_bytes topic, int32_t partition,
		  struct vl_bytes sender, size_t cost)
{
	uint64_t sum = vl_checksum(sender);
	struct queue *empty, *queue = find(turns, topic, partition, sum, &empty);

	if (queue == NULL) {
		queue = empty != NULL ? empty : add(turns);
		if (queue == NULL || !rename_queue(queue, topic, partition, sum))
			return false;
	}
	turns->places[slot] = (struct place){.next = NONE, .cost = cost};
	if (queue->last != NONE)
		turns->places[queue->last].next = (int)slot;
	queue->last = (int)slot;
	queue->cost += cost;
	if (queue->first == NONE) {
		queue->first = (int)slot;
		begin_at_floor(turns, queue, APPLY);
	}
	if (queue->verify == NONE) {
		queue->verify = (int)slot;
		begin_at_floor(turns, queue, VERIFY);
	}
	return true;
}

int vl_turns_last(const struct vl_turns *turns, struct vl_bytes topic, int32_t partition,
		  struct vl_bytes sender, size_t *cost)
{
	struct queue *empty;
	const struct queue *queue = find(turns, topic, partition, vl_checksum(sender), &empty);

	*cost = queue != NULL ? queue->cost : 0;
	return queue != NULL ? queue->last : NONE;
}

/* The slot whose turn it is in that queue; NONE where there is none. */
static int slot_of(const struct vl_turns *turns, const struct queue *queue, enum turn turn)
{
	if (turn == VERIFY)
		return queue->verify;
	return queue->first != NONE && turns->places[queue->first].ready ? queue->first : NONE;
}

static bool is_before(const struct queue *a, const struct queue *b, enum turn turn, bool by_urgency)
{
	if (by_urgency && a->precedence != b->precedence)
		return a->precedence < b->precedence;
	return a->spent[turn] < b->spent[turn];
}

/* The queue whose turn it is; NULL where none has anything for it. */
static struct queue *pick(struct vl_turns *turns, enum turn turn)
{
	struct round *round = &turns->rounds[turn];
	bool by_urgency = (round->turn + 1) % ROUND != 0;
	struct queue *best = NULL;

	for (size_t i = 1; i <= turns->n; i++) {
		struct queue *queue = &turns->queues[(round->after + i) % turns->n];
		if (slot_of(turns, queue, turn) != NONE &&
		    (best == NULL || is_before(queue, best, turn, by_urgency)))
			best = queue;
	}
	if (best == NULL)
		return NULL;
	round->after = (size_t)(best - turns->queues);
	round->floor = best->spent[turn];
	round->turn++;
	best->spent[turn] += turns->places[slot_of(turns, best, turn)].cost;
	return best;
}

int vl_turns_verify(struct vl_turns *turns)
{
	struct queue *queue = pick(turns, VERIFY);

	if (queue == NULL)
		return NONE;
	int slot = queue->verify;
	queue->verify = turns->places[slot].next;
	return slot;
}

void vl_turns_ready(struct vl_turns *turns, unsigned slot)
{
	turns->places[slot].ready = true;
}

int vl_turns_apply(struct vl_turns *turns)
{
	struct queue *queue = pick(turns, APPLY);

	if (queue == NULL)
		return NONE;
	int slot = queue->first;
	queue->first = turns->places[slot].next;
	queue->cost -= turns->places[slot].cost;
	turns->alone = queue->first == NONE;
	if (turns->alone)
		queue->last = NONE;
	return slot;
}

size_t vl_turns_queues(const struct vl_turns *turns)
{
	return turns->n;
}

bool vl_turns_alone(const struct vl_turns *turns)
{
	return turns->alone;
}
