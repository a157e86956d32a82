#include "hq/ingest/again.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "hq/ledger/ledger.h"
#include "hq/ledger/passed.h"
#include "stream/reader.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define TURN_RECORDS 10000
#define TURN_MS 5000 /* without a record */
#define POLL_MS 100
#define ASK_MS 3000
#define LOOK_MS 200
#define ANY_MS 60000 /* between passes for which nothing speaks but that something was applied */
#define REST_MIN_MS 1000
#define REST_MAX_MS 600000
#define POOR 64 /* a pass brings little where it reads more than so many for each that is applied */

enum state { IDLE, WANTED, READ };

/* Of a pass that was made. */
struct memory {
	UT_hash_handle hh;
	uint64_t read; /* records of the mission, in the pass under way */
	int64_t pause, rests_until;
	uint8_t key[];
};

struct vl_again {
	struct vl_store *store;
	struct vl_verifier *verifier;
	const struct vl_conf_pair *pairs;
	size_t n_pairs;
	const struct vl_clock *clock;
	struct vl_reader *reader;  /* the thread's */
	struct vl_consumer *asker; /* the thread's; reads nothing */
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wanted;
	atomic_bool stop;
	/* Under the lock, and the writer's alone while IDLE. */
	enum state state;
	struct vl_pass pass;
	int64_t reached;
	uint64_t mark, read;
	/* The writer's. */
	struct memory *memories;
	int64_t now, look_at, any_at;
};

/* -- the thread that reads -- */

/* A turn under way. */
struct turn {
	const struct vl_pass *pass;
	int64_t offset;
	uint64_t records, read;
	int64_t until;
};

static void free_message(void *owner)
{
	vl_message_free(owner);
}

static void take(struct vl_again *a, struct turn *turn, struct vl_message *message)
{
	const struct vl_record *record = vl_message_record(message);
	bool beyond = record->offset >= turn->pass->end;

	turn->offset = beyond ? turn->pass->end : record->offset + 1;
	turn->records++;
	turn->until = vl_monotonic_ms() + TURN_MS;
	if (beyond || !vl_bytes_are(record->key, turn->pass->mission)) {
		vl_message_free(message);
		return;
	}
	if (record->sender_time)
		vl_message_stamp(message, vl_time_ms(vl_clock_now(a->clock)));
	turn->read++;
	(void)vl_verifier_put_again(a->verifier, record, free_message, message);
}

/* The offset is not there: the next turn goes on at the first that is, or ends the pass where
 * none of it is. Nothing is known of a topic that is not there. */
static void skip_lost(struct vl_again *a, struct turn *turn, bool topic)
{
	const struct vl_position *at = &turn->pass->from;
	int64_t first, end;

	if (topic ||
	    (a->asker == NULL && vl_consumer_open(a->pairs, a->n_pairs, &a->asker, NULL) != VL_OK))
		return;
	if (vl_consumer_range(a->asker, at->topic, at->partition, ASK_MS, &first, &end, NULL) ==
	    VL_OK)
		turn->offset = first > turn->offset && first < turn->pass->end && first < end
				       ? first
				       : turn->pass->end;
}

/* False where the turn ends with it: what cannot be read now is tried again in another turn. */
static bool take_news(struct vl_again *a, struct turn *turn, const struct vl_news *news)
{
	if (news->owner != turn) {
		if (news->kind == VL_NEWS_RECORD)
			vl_message_free(news->message);
		return true;
	}
	switch (news->kind) {
	case VL_NEWS_RECORD:
		take(a, turn, news->message);
		return true;
	case VL_NEWS_END:
		turn->offset = turn->pass->end;
		return true;
	case VL_NEWS_PASSED:
		turn->offset = news->to > turn->offset ? news->to : turn->offset;
		return true;
	case VL_NEWS_LOST:
		skip_lost(a, turn, news->at.offset < 0);
		return false;
	case VL_NEWS_TROUBLE:
		break;
	}
	return false;
}

static void read_turn(struct vl_again *a, struct turn *turn)
{
	const struct vl_position *at = &turn->pass->from;
	struct vl_news news;
	bool on = true;

	if (a->reader == NULL && vl_reader_open(a->pairs, a->n_pairs, &a->reader, NULL) != VL_OK)
		return;
	turn->until = vl_monotonic_ms() + TURN_MS;
	if (vl_reader_put(a->reader, at, turn) != VL_OK)
		return;
	while (on && !a->stop && turn->offset < turn->pass->end && turn->records < TURN_RECORDS) {
		enum vl_err err = vl_reader_poll(a->reader, POLL_MS, &news, NULL);
		if (err == VL_OK)
			on = take_news(a, turn, &news);
		else
			on = (err == VL_ERR_TIMEOUT || err == VL_ERR_UNREACHABLE) &&
			     vl_monotonic_ms() < turn->until;
	}
	vl_reader_drop(a->reader, at->topic, at->partition);
}

static void *read_again(void *context)
{
	struct vl_again *a = context;

	pthread_mutex_lock(&a->lock);
	while (!a->stop) {
		if (a->state != WANTED) {
			pthread_cond_wait(&a->wanted, &a->lock);
			continue;
		}
		struct turn turn = {.pass = &a->pass, .offset = a->pass.from.offset};
		pthread_mutex_unlock(&a->lock);
		read_turn(a, &turn);
		uint64_t mark = vl_verifier_mark(a->verifier);
		pthread_mutex_lock(&a->lock);
		a->reached = turn.offset;
		a->read = turn.read;
		a->mark = mark;
		a->state = READ;
	}
	pthread_mutex_unlock(&a->lock);
	return NULL;
}

/* -- the writer -- */

static struct memory *memory_of(struct vl_again *a, struct vl_bytes key)
{
	struct memory *memory;

	HASH_FIND(hh, a->memories, key.data, key.size, memory);
	return memory;
}

/* Out of memory: then it does not rest. */
static struct memory *remember(struct vl_again *a, struct vl_bytes key)
{
	struct memory *memory = memory_of(a, key);

	if (memory != NULL || (memory = calloc(1, sizeof(*memory) + key.size)) == NULL)
		return memory;
	memcpy(memory->key, key.data, key.size);
	HASH_ADD_KEYPTR(hh, a->memories, memory->key, (unsigned)key.size, memory);
	if (memory->hh.tbl == NULL) {
		free(memory);
		return NULL;
	}
	return memory;
}

static bool rests(void *context, struct vl_bytes row)
{
	const struct memory *memory = memory_of(context, row);

	return memory != NULL && ((struct vl_again *)context)->now < memory->rests_until;
}

static void rest(struct vl_again *a, struct memory *memory, bool poor)
{
	if (memory == NULL)
		return;
	if (!poor) {
		HASH_DEL(a->memories, memory);
		free(memory);
		return;
	}
	memory->pause = vl_back_off(memory->pause, REST_MIN_MS, REST_MAX_MS);
	memory->rests_until = a->now + memory->pause;
	memory->read = 0;
}

static enum vl_err end_turn(struct vl_again *a, struct vl_why *why)
{
	struct vl_bytes key = vl_key_done(&a->pass.key);
	struct memory *memory = remember(a, key);
	struct vl_txn *txn = vl_txn_begin(a->store, true, why);
	uint64_t applied;

	if (txn == NULL)
		return VL_ERR_NOMEM;
	bool ended = vl_passed_reached(txn, &a->pass, a->reached, &applied);
	enum vl_err err = vl_txn_commit(txn, why);
	if (err != VL_OK)
		return err;
	if (memory != NULL)
		memory->read += a->read;
	/* What was put off is judged now, whatever becomes of it. */
	if (ended)
		rest(a, memory,
		     memory != NULL && !a->pass.unjudged && memory->read > applied * POOR);
	else if (a->reached == a->pass.from.offset)
		rest(a, memory, true);
	a->state = IDLE;
	a->look_at = a->now;
	return VL_OK;
}

/* False where nothing is worth it now. */
static bool find_pass(struct vl_again *a)
{
	struct vl_txn *txn = vl_txn_begin(a->store, false, NULL);
	const struct vl_key after = a->pass.key;
	bool any = a->now >= a->any_at, found = false;

	if (txn != NULL && vl_txn_count(txn, VL_DB_PASSED) > 0)
		found = vl_passed_next(txn, &after, any, rests, a, &a->pass);
	vl_txn_abort(txn);
	if (any)
		a->any_at = a->now + ANY_MS;
	return found;
}

static enum vl_err begin_turn(struct vl_again *a, struct vl_why *why)
{
	struct vl_txn *txn = vl_txn_begin(a->store, true, why);

	if (txn == NULL)
		return VL_ERR_NOMEM;
	vl_passed_begin(txn, &a->pass);
	enum vl_err err = vl_txn_commit(txn, why);
	if (err != VL_OK)
		return err;
	if (memory_of(a, vl_key_done(&a->pass.key)) == NULL)
		vl_log_info("%s: batches of '%s' that were passed over are read again, "
			    "partition %d from offset "
			    "%" PRId64 " to %" PRId64,
			    a->pass.mission, a->pass.from.topic, (int)a->pass.from.partition,
			    a->pass.from.offset, a->pass.end);
	(void)remember(a, vl_key_done(&a->pass.key));
	pthread_mutex_lock(&a->lock);
	a->state = WANTED;
	pthread_cond_signal(&a->wanted);
	pthread_mutex_unlock(&a->lock);
	return VL_OK;
}

enum vl_err vl_again_work(struct vl_again *a, int64_t now, struct vl_why *why)
{
	enum vl_err err = VL_OK;

	a->now = now;
	pthread_mutex_lock(&a->lock);
	enum state state = a->state;
	pthread_mutex_unlock(&a->lock);
	if (state == READ && vl_verifier_past(a->verifier, a->mark)) {
		err = end_turn(a, why);
		state = IDLE;
	}
	if (err != VL_OK || state != IDLE || now < a->look_at)
		return err;
	if (find_pass(a))
		return begin_turn(a, why);
	a->look_at = now + LOOK_MS;
	return VL_OK;
}

bool vl_again_idle(struct vl_again *a)
{
	static const struct vl_key start;
	struct vl_pass pass;
	bool idle = false;

	pthread_mutex_lock(&a->lock);
	enum state state = a->state;
	pthread_mutex_unlock(&a->lock);
	struct vl_txn *txn = state == IDLE ? vl_txn_begin(a->store, false, NULL) : NULL;
	if (txn != NULL)
		idle = vl_txn_count(txn, VL_DB_PASSED) == 0 ||
		       !vl_passed_next(txn, &start, false, NULL, NULL, &pass);
	vl_txn_abort(txn);
	return idle;
}

/* -- open and close -- */

enum vl_err vl_again_open(struct vl_store *store, struct vl_verifier *verifier,
			  const struct vl_conf_pair *pairs, size_t n_pairs,
			  const struct vl_clock *clock, struct vl_again **opened,
			  struct vl_why *why)
{
	struct vl_again *a = calloc(1, sizeof(*a));

	*opened = NULL;
	if (a == NULL)
		return VL_ERR_NOMEM;
	a->store = store;
	a->verifier = verifier;
	a->pairs = pairs;
	a->n_pairs = n_pairs;
	a->clock = clock;
	a->any_at = vl_monotonic_ms() + ANY_MS;
	pthread_mutex_init(&a->lock, NULL);
	pthread_cond_init(&a->wanted, NULL);
	if (pthread_create(&a->thread, NULL, read_again, a) != 0) {
		pthread_mutex_destroy(&a->lock);
		pthread_cond_destroy(&a->wanted);
		free(a);
		return vl_fail(why, VL_ERR_NOMEM, "cannot start a thread");
	}
	*opened = a;
	return VL_OK;
}

void vl_again_close(struct vl_again *a)
{
	struct memory *memory, *next;

	if (a == NULL)
		return;
	pthread_mutex_lock(&a->lock);
	a->stop = true;
	pthread_cond_signal(&a->wanted);
	pthread_mutex_unlock(&a->lock);
	pthread_join(a->thread, NULL);
	vl_reader_close(a->reader);
	vl_consumer_close(a->asker);
	HASH_ITER (hh, a->memories, memory, next) {
		HASH_DEL(a->memories, memory);
		free(memory);
	}
	pthread_mutex_destroy(&a->lock);
	pthread_cond_destroy(&a->wanted);
	free(a);
}
