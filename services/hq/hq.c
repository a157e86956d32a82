#include "hq/hq.h"

#include "base/clock.h"
#include "base/log.h"
#include "bus/ring.h"
#include "hq/fold/bind.h"
#include "hq/fold/version.h"
#include "hq/ingest/again.h"
#include "hq/ingest/apply.h"
#include "hq/ingest/feed.h"
#include "hq/ingest/keybook.h"
#include "hq/ingest/pump.h"
#include "hq/ingest/reserve.h"
#include "hq/ingest/settings.h"
#include "hq/ingest/verify.h"
#include "hq/ledger/deadletter.h"
#include "hq/ledger/ledger.h"
#include "hq/repair/mend.h"
#include "hq/reply/directives.h"
#include "hq/reply/receipts.h"
#include "hq/watch/pulse_tail.h"
#include "hq/repair/open.h"

#include <poll.h>
#include <stdio.h>

#define IDLE_MS 100
#define REAP_MS 60000
#define LOOK_MS 1000 /* between looks at how full the views are */
#define SIZE_LEAST ((uint64_t)1 << 20)
#define ANSWER_MS 30000
/* of the views' room what waits behind gaps may take one part in so many */
#define PARKED_SHARE 8
#define TAILS_MS 2000      /* between looks for cut tails */
#define LOOK_ENTRIES 1000  /* of the ledger, when there is nothing else to do for IDLE_MS */
#define THROUGH_MS 3600000 /* from one time all of it was looked at to the next */
/* one after another, with nothing applied between: then it is for people */
#define MENDS_MOST 8
#define JUDGE_MS 60000 /* for headquarters to read on to where a lane ended */

const struct vl_conf_key vl_hq_keys[] = {
	{"views", "path", VL_CONF_TEXT, offsetof(struct vl_hq_settings, views), NULL,
	 "folder of the views"},
	{"views", "size", VL_CONF_SIZE, offsetof(struct vl_hq_settings, size), "256G",
	 "the most that the views may ever hold, 1M at least. They are mapped step by step, as "
	 "they grow"},
	{"keys", "path", VL_CONF_TEXT, offsetof(struct vl_hq_settings, keys), NULL,
	 "folder of the senders' public keys, <id>.pub. SIGHUP reads it again"},
	{"verify", "threads", VL_CONF_COUNT, offsetof(struct vl_hq_settings, threads), "2",
	 "how many threads verify signatures"},
	{"receipts", "socket", VL_CONF_TEXT, offsetof(struct vl_hq_settings, receipts), "",
	 "socket of headquarters' own agent, whose id is HQ. Without it no receipts are sent, "
	 "and the missions' outboxes only grow"},
	{"receipts", "interval", VL_CONF_COUNT, offsetof(struct vl_hq_settings, receipts_interval),
	 "1000", "the least milliseconds between receipts"},
	{"directives", "after", VL_CONF_COUNT, offsetof(struct vl_hq_settings, directives_after),
	 "5",
	 "seconds that a gap may stand before headquarters requests the missing batches, "
	 "through the same agent. It repeats the request with doubling pauses, 10 minutes at "
	 "most"},
	{"kafka", "*", VL_CONF_ANY, 0, NULL, "any librdkafka property, such as bootstrap.servers"},
	{NULL, NULL, VL_CONF_TEXT, 0, NULL, NULL},
};

enum vl_err vl_hq_check(const struct vl_hq_settings *settings, struct vl_why *why)
{
	if (settings->size < SIZE_LEAST)
		return vl_fail(why, VL_ERR_CONFIG,
			       "[views] size: give 1M at least; a number alone is bytes");
	return vl_views_check(why);
}

struct hq {
	const struct vl_hq_settings *settings;
	struct vl_reserve *reserve;
	int64_t room_at; /* when to look at the room again */
	bool anew;       /* others are to be taken than now: open all again */
	struct vl_store *store;
	struct vl_verifier *verifier;
	struct vl_applier *applier;
	struct vl_undertaker *undertaker;
	struct vl_feed *feed;
	struct vl_settings *topics; /* whether they are as they should be */
	struct vl_again *again;
	struct vl_receipts *receipts;
	struct vl_directives *directives;
	struct vl_tails *tails;
	struct vl_buf ends; /* where the suspect lanes ended */
	bool ends_asked;
	int64_t tails_at, judge_by;
	int64_t reap_at, look_at;
};

static void hq_close(struct hq *hq)
{
	if (hq->verifier != NULL)
		vl_verifier_stop(hq->verifier);
	vl_directives_close(hq->directives);
	vl_again_close(hq->again);
	vl_feed_close(hq->feed);
	vl_settings_close(hq->topics);
	vl_verifier_close(hq->verifier);
	vl_receipts_close(hq->receipts);
	vl_tails_close(hq->tails);
	vl_undertaker_close(hq->undertaker);
	vl_applier_close(hq->applier);
	vl_store_close(hq->store);
	vl_buf_free(&hq->ends);
}

static void say_enrolled(const struct vl_ring *ring)
{
	size_t signing = 0;

	for (size_t i = 0; i < vl_ring_count(ring); i++)
		signing += !vl_ring_at(ring, i)->ended;
	vl_log_info("%zu senders enrolled, %zu keys of the past known", signing,
		    vl_ring_count(ring) - signing);
}

static enum vl_err open_verifier(struct hq *hq, struct vl_why *why)
{
	struct vl_ring *ring;
	enum vl_err err = vl_keybook_open_ring(hq->store, hq->settings->keys, &ring, why);

	if (err != VL_OK)
		return err;
	say_enrolled(ring);
	unsigned threads = hq->settings->threads > 0 ? (unsigned)hq->settings->threads : 1;
	err = vl_verifier_open(ring, threads, &hq->verifier, why);
	if (err != VL_OK)
		vl_ring_close(ring);
	return err;
}

static enum vl_err open_receipts(struct hq *hq, struct vl_why *why)
{
	struct vl_receipts_options options = {
		.store = hq->store,
		.socket = hq->settings->receipts,
		.interval_ms = (int64_t)(hq->settings->receipts_interval % 86400000),
		.patience_ms = ANSWER_MS,
		.clock = &vl_clock_system,
	};
	enum vl_err err = vl_receipts_open(&options, &hq->receipts, why);

	if (err == VL_OK)
		vl_apply_watch(hq->applier, vl_receipts_due, hq->receipts);
	return err;
}

static enum vl_err open_directives(struct hq *hq, struct vl_why *why)
{
	struct vl_directives_options options = {
		.store = hq->store,
		.socket = hq->settings->receipts,
		.after_ms = (int64_t)(hq->settings->directives_after % 86400) * 1000,
		.patience_ms = ANSWER_MS,
		.clock = &vl_clock_system,
		.read = vl_feed_has_read,
		.context = hq->feed,
	};

	return vl_directives_open(&options, &hq->directives, why);
}

static enum vl_err open_applier(struct hq *hq, struct vl_why *why)
{
	struct vl_parked_bounds bounds = VL_PARKED_BOUNDS;
	enum vl_err err = vl_versions_follow(hq->store, why);

	if (err == VL_OK)
		err = vl_applier_open(hq->store, &hq->applier);
	if (bounds.all > hq->settings->size / PARKED_SHARE)
		bounds.all = hq->settings->size / PARKED_SHARE;
	if (bounds.bytes > bounds.all / 4)
		bounds.bytes = bounds.all / 4;
	if (err == VL_OK) {
		vl_apply_time(hq->applier, &vl_clock_system, NULL);
		vl_apply_bound(hq->applier, &bounds);
		vl_apply_only(hq->applier, vl_reserve_least(hq->reserve));
	}
	return err;
}

static enum vl_err hq_open(struct hq *hq, const struct vl_conf_pair *pairs, size_t n_pairs,
			   struct vl_why *why)
{
	enum vl_precedence least = vl_reserve_least(hq->reserve);
	size_t room = vl_reserve_map(hq->reserve);
	enum vl_err err = vl_ledger_open(hq->settings->views, room, false, &hq->store, why);

	if (err == VL_OK)
		err = open_verifier(hq, why);
	if (err == VL_OK)
		err = open_applier(hq, why);
	if (err == VL_OK)
		err = open_receipts(hq, why);
	if (err == VL_OK && (hq->tails = vl_tails_open(hq->store)) == NULL)
		err = VL_ERR_NOMEM;
	if (err == VL_OK)
		err = vl_undertaker_open(hq->store, pairs, n_pairs, &vl_clock_system,
					 &hq->undertaker, why);
	if (err == VL_OK)
		err = vl_feed_open(hq->store, hq->verifier, pairs, n_pairs, &vl_clock_system, least,
				   &hq->feed, why);
	if (err == VL_OK)
		err = vl_settings_open(hq->store, pairs, n_pairs, &vl_clock_system, &hq->topics,
				       why);
	if (err == VL_OK)
		err = vl_again_open(hq->store, hq->verifier, pairs, n_pairs, &vl_clock_system,
				    &hq->again, why);
	if (err == VL_OK)
		err = open_directives(hq, why);
	return err;
}

/* Bad keys must not stop headquarters: the ring in force stays. */
static void reload_keys(struct hq *hq)
{
	struct vl_why why = {0};
	struct vl_ring *ring = NULL;
	enum vl_err err = vl_keybook_open_ring(hq->store, hq->settings->keys, &ring, &why);

	if (err == VL_OK)
		err = vl_verifier_renew(hq->verifier, ring);
	if (err == VL_OK)
		say_enrolled(ring);
	else {
		vl_ring_close(ring);
		vl_log_cannot("read again", hq->settings->keys, &why, err);
	}
}

/* Look for suspect tails, have the feed ask where their lanes end, and judge them when that far
 * is applied. */
static enum vl_err watch_tails(struct hq *hq, int64_t now, struct vl_why *why)
{
	bool done = false;
	enum vl_err err = VL_OK;

	if (!hq->ends_asked && now >= hq->tails_at) {
		hq->tails_at = now + TAILS_MS;
		hq->judge_by = now + JUDGE_MS;
		hq->ends_asked = vl_tails_suspect(hq->tails);
		if (hq->ends_asked)
			vl_feed_ask_ends(hq->feed);
	}
	if (!hq->ends_asked)
		return VL_OK;
	if (vl_feed_ends(hq->feed, &hq->ends))
		err = vl_tails_judge(hq->tails,
				     (const struct vl_position *)(const void *)hq->ends.data,
				     hq->ends.size / sizeof(struct vl_position), &done, why);
	hq->ends_asked = !done && now < hq->judge_by;
	return err;
}

/* There is nothing to do: look for what the disk has damaged. */
static enum vl_err look(struct hq *hq, int64_t now, struct vl_why *why)
{
	bool round = false;

	if (now < hq->look_at)
		return VL_OK;
	enum vl_err err = vl_apply_look(hq->applier, LOOK_ENTRIES, &round, why);
	if (round)
		hq->look_at = now + THROUGH_MS;
	return err;
}

static enum vl_err work(struct hq *hq, struct vl_why *why)
{
	enum vl_err err = vl_pump(hq->verifier, hq->applier, IDLE_MS, why);

	if (err == VL_ERR_TIMEOUT)
		err = look(hq, vl_monotonic_ms(), why);
	if (err == VL_OK)
		err = vl_feed_rewind(hq->feed, hq->applier, why);
	if (err == VL_OK)
		err = vl_feed_note(hq->feed, why);
	if (err == VL_OK)
		err = vl_settings_note(hq->topics, why);
	/* What was passed over can wait where it lies. */
	if (err == VL_OK && !hq->reserve->urgent)
		err = vl_again_work(hq->again, vl_monotonic_ms(), why);
	if (err == VL_OK)
		err = watch_tails(hq, vl_monotonic_ms(), why);
	vl_receipts_work(hq->receipts, vl_monotonic_ms());
	vl_directives_work(hq->directives, vl_monotonic_ms());
	if (err == VL_OK)
		err = vl_undertaker_work(hq->undertaker, why);
	if (err == VL_OK && vl_monotonic_ms() >= hq->reap_at) {
		vl_store_reap_readers(hq->store);
		hq->reap_at = vl_monotonic_ms() + REAP_MS;
	}
	return err;
}

/* -- room -- */

static void say_room(const struct hq *hq, enum vl_reserve_word word, const struct vl_why *why)
{
	const char *views = hq->settings->views, *reason = vl_why_text(why, VL_ERR_FULL);

	if (word == VL_RESERVE_FULL)
		vl_log_error("no room left in '%s' (%.100s) but for urgent lanes: FLASH and "
			     "IMMEDIATE go on, and all others wait in Kafka. Make room on its "
			     "disk, or raise [views] size and start valise-hq again. The other "
			     "lanes are tried again, with pauses of up to a minute",
			     views, reason);
	if (word == VL_RESERVE_ALL_FULL)
		vl_log_error("nor is there room in '%s' for urgent lanes (%.100s): all new "
			     "records wait in Kafka. They are tried again, with pauses of up "
			     "to a minute",
			     views, reason);
	if (word == VL_RESERVE_ROOM)
		vl_log_info("there is room in '%s' again: all lanes go on", views);
}

static void look_at_room(struct hq *hq, int64_t now)
{
	enum vl_reserve_word word;
	size_t used, room;

	if (now < hq->room_at)
		return;
	hq->room_at = now + LOOK_MS;
	vl_store_usage(hq->store, &used, &room);
	hq->anew = vl_reserve_look(hq->reserve, used, room, now, &word);
	say_room(hq, word, NULL);
}

static enum vl_err run_once(struct hq *hq, const struct vl_conf_pair *pairs, size_t n_pairs,
			    struct vl_hq_signals *signals, struct vl_why *why)
{
	enum vl_err err = hq_open(hq, pairs, n_pairs, why);

	if (err == VL_OK)
		vl_log_info("ready: the views are open in %s", hq->settings->views);
	while (err == VL_OK && !signals->stop && !hq->anew) {
		if (atomic_exchange(&signals->reload, false))
			reload_keys(hq);
		err = work(hq, why);
		look_at_room(hq, vl_monotonic_ms());
	}
	if (err == VL_OK && !hq->anew)
		vl_log_info("stopped; %llu events applied",
			    (unsigned long long)vl_apply_total(hq->applier));
	return err;
}

/* Nothing of the transaction that met a damaged row has happened. Once the row is mended all
 * begins again from the ledger. */
static bool mend(struct hq *hq, unsigned *mends, struct vl_why *why)
{
	struct vl_why reason = {0};
	size_t mended = 0;
	int db = vl_store_failed(hq->store);

	if (hq->applier != NULL && vl_apply_total(hq->applier) > 0)
		*mends = 0;
	if (++*mends > MENDS_MOST)
		return false;
	/* Nobody else may use the store meanwhile. */
	if (hq->verifier != NULL)
		vl_verifier_stop(hq->verifier);
	vl_feed_close(hq->feed);
	hq->feed = NULL;
	enum vl_err err = vl_ledger_mend(hq->store, VL_MEND_ALL, &mended, &reason);
	if (err == VL_OK && mended == 0)
		err = db >= 0 ? vl_ledger_mend_order(hq->store, (unsigned)db, &reason)
			      : VL_ERR_CORRUPT;
	if (err != VL_OK && reason.text[0] != '\0')
		*why = reason;
	return err == VL_OK;
}

/* Nothing of what did not fit has happened: it waits in Kafka, and is read again after a pause. */
static bool wait_for_room(const struct vl_reserve *reserve, const struct vl_hq_signals *signals)
{
	while (!signals->stop && vl_monotonic_ms() < reserve->until_ms)
		(void)poll(NULL, 0, IDLE_MS);
	return !signals->stop;
}

static bool met_full(struct hq *hq, const struct vl_hq_signals *signals, const struct vl_why *why)
{
	enum vl_reserve_word word;
	bool wait = vl_reserve_met(hq->reserve, vl_monotonic_ms(), &word);

	say_room(hq, word, why);
	return !wait || wait_for_room(hq->reserve, signals);
}

enum vl_err vl_hq_run(const struct vl_hq_settings *settings, const struct vl_conf_pair *pairs,
		      size_t n_pairs, struct vl_hq_signals *signals, struct vl_why *why)
{
	struct vl_reserve reserve = {.size = settings->size};
	unsigned mends = 0;
	enum vl_err err;
	bool again;

	do {
		struct hq hq = {.settings = settings, .reserve = &reserve};
		err = run_once(&hq, pairs, n_pairs, signals, why);
		again = hq.anew ||
			(err == VL_ERR_CORRUPT && hq.store != NULL && mend(&hq, &mends, why));
		if (err == VL_ERR_FULL && hq.store != NULL)
			again = met_full(&hq, signals, why);
		hq_close(&hq);
	} while (again);
	/* Told to end while it waited. */
	return err == VL_ERR_FULL && signals->stop ? VL_OK : err;
}
