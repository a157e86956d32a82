/*
 * flash: how soon a FLASH event of one mission can be read in the view after the broker appended
 * it, while another mission sends what makes others wait (flash_scenes.c). tests/bench/flash
 * runs it, with a real Kafka and headquarters.
 *
 * 	flash_bench enrol KEYS
 * 	flash_bench run BROKERS VIEWS DOSES [SCENE...]
 *
 * Each scene is sent DOSES times, one every two seconds, as fast as Kafka takes it; meanwhile
 * the honest mission sends an event every 20 ms. That comes in another partition of its lane,
 * and in the same, behind what came before.
 *
 * Two waits are told: from the append, in which the broker and the line have their part; and
 * from the arrival, when a plain consumer of the same partition, which does nothing else
 * (flash_peer.c), had the record. The bar is for the second.
 */
#include "base/text.h"
#include "bus/keys.h"
#include "flash_peer.h"
#include "flash_scenes.h"
#include "hq/fold/fold.h"
#include "hq/fold/views.h"
#include "hq/ledger/ledger.h"
#include "hq/repair/open.h"
#include "stream/stream.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EVERY_MS 20
#define DOSE_MS 2000
#define PATIENCE_MS 120000
#define BAR_MS 250
#define MOST 100000
#define HONEST "CN-SD-EMB"
#define SCENES 9

/* -- keys -- */

static void name_mission(int number, char name[16])
{
	if (number < 0)
		(void)snprintf(name, 16, HONEST);
	else
		(void)snprintf(name, 16, "CN-%c%c-EMB", 'A' + number, 'A' + number);
}

static struct vl_signer *signer_of(int number)
{
	uint8_t seed[32] = {(uint8_t)(number + 2), 7};
	struct vl_signer *signer;

	must(vl_signer_open(seed, &signer) == VL_OK, "make a key");
	return signer;
}

static int enrol(const char *keys)
{
	char path[4096], hex[65], name[16];

	for (int number = -1; number < SCENES; number++) {
		struct vl_signer *signer = signer_of(number);
		name_mission(number, name);
		(void)snprintf(path, sizeof(path), "%s/%s.pub", keys, name);
		FILE *file = fopen(path, "w");
		must(file != NULL, "write a key");
		(void)fprintf(file, "%s %s\n", name,
			      vl_hex(vl_signer_public(signer)->bytes, 32, hex));
		(void)fclose(file);
		vl_signer_close(signer);
	}
	return 0;
}

/* -- sending -- */

struct sending {
	struct vl_producer *producer;
	_Atomic int64_t *appended; /* by tag, or NULL */
};

static void acked(void *context, uint64_t tag, enum vl_err err, int32_t partition, int64_t offset)
{
	struct sending *s = context;

	(void)partition, (void)offset;
	must(err == VL_OK, "have a record appended");
	if (s->appended != NULL)
		s->appended[tag] = vl_producer_appended_ms(s->producer);
}

static void open_sending(struct sending *s, const char *brokers)
{
	const struct vl_conf_pair pairs[] = {{"bootstrap.servers", brokers}, {"linger.ms", "0"}};
	struct vl_producer_options options = {.pairs = pairs,
					      .n_pairs = 2,
					      .window_bytes = (size_t)16 << 20,
					      .window_records = 10000,
					      .acked = acked,
					      .context = s};
	struct vl_why why = {0};

	must(vl_producer_open(&options, &s->producer, &why) == VL_OK, why.text);
}

/* That no broker answers for a while, or that nothing comes, is no end. */
static void serve(struct sending *s, int64_t until)
{
	struct vl_why why = {0};

	for (int64_t now; (now = vl_monotonic_ms()) < until;)
		must(vl_producer_poll(s->producer, (int)(until - now), &why) != VL_ERR_GONE,
		     "go on sending");
}

static void send(struct sending *s, const struct chain *c, int32_t partition,
		 const struct ready *ready, uint64_t tag)
{
	const struct vl_header headers[] = {
		{vl_bytes_of("content-type"), vl_bytes_of(vl_domain_content_type(VL_DOMAIN_BATCH))},
		{vl_bytes_of(VL_SIG_HEADER), vl_bytes_of(ready->sig)}};
	struct vl_why why = {0};
	enum vl_err err;

	while ((err = vl_producer_send_to(s->producer, c->lane, partition, vl_bytes_of(c->mission),
					  vl_buf_bytes(&ready->value), headers, 2, tag, &why)) ==
	       VL_ERR_BUSY)
		serve(s, vl_monotonic_ms() + 5);
	must(err == VL_OK, why.text);
}

/* -- one run -- */

struct run {
	const char *brokers;
	struct chain load, flash;
	struct dose *doses;
	size_t n_doses;
	int32_t partition, load_partition;
	_Atomic int64_t appended[MOST], arrived[MOST];
	size_t first;
	_Atomic size_t sent;
	int64_t seen[MOST]; /* when it could be read, by the same clock */
	atomic_bool stop;
};

static void *put_load(void *context)
{
	struct run *run = context;
	struct sending s = {0};
	int64_t at = vl_monotonic_ms();

	open_sending(&s, run->brokers);
	for (size_t d = 0; d < run->n_doses; d++) {
		serve(&s, at);
		at += DOSE_MS;
		for (size_t i = 0; i < run->doses[d].n; i++)
			send(&s, &run->load, run->load_partition, &run->doses[d].batches[i], 0);
	}
	vl_producer_close(s.producer, PATIENCE_MS);
	while (vl_monotonic_ms() < at)
		(void)poll(NULL, 0, 10);
	run->stop = true;
	return NULL;
}

static void leg_name(size_t n, char leg[32])
{
	(void)snprintf(leg, 32, "SD-%zu", n);
}

static void *put_flashes(void *context)
{
	struct run *run = context;
	struct sending s = {.appended = run->appended};
	char leg[32];

	open_sending(&s, run->brokers);
	for (int64_t at = vl_monotonic_ms(); !run->stop && run->sent < MOST; at += EVERY_MS) {
		struct ready ready;
		leg_name(run->sent, leg);
		plan_leg(&run->flash, leg, &ready);
		send(&s, &run->flash, run->partition, &ready, run->sent);
		vl_buf_free(&ready.value);
		run->sent++;
		serve(&s, at + EVERY_MS);
	}
	vl_producer_close(s.producer, PATIENCE_MS);
	return NULL;
}

static bool can_read(struct vl_txn *txn, const char *leg)
{
	int view = vl_view_of_lane(EVACUATIONS, strlen(EVACUATIONS)),
	    kind = vl_view_kind(vl_views[view], "leg");
	struct vl_key key;

	vl_row_key(&key, (unsigned)kind, leg);
	return vl_txn_get(txn, vl_view_db((size_t)view, VL_VIEW_ROW), vl_key_done(&key), NULL);
}

/* Until all that were sent can be read. */
static void watch(struct run *run, struct vl_store *store)
{
	struct vl_why why = {0};
	struct vl_txn *txn = vl_txn_begin(store, false, &why);
	int64_t until = vl_monotonic_ms() + PATIENCE_MS;
	size_t next = run->first;
	char leg[32];

	must(txn != NULL, "read the views");
	while (!run->stop || next < run->sent) {
		must(vl_txn_refresh(txn) == VL_OK, "read the views again");
		for (; next < run->sent; next++) {
			leg_name(next, leg);
			if (!can_read(txn, leg))
				break;
			run->seen[next] = vl_time_ms(vl_clock_now(&vl_clock_system));
			until = vl_monotonic_ms() + PATIENCE_MS;
		}
		must(vl_monotonic_ms() < until, "find an event in the view within two minutes");
		vl_txn_rest(txn);
		(void)poll(NULL, 0, 1);
	}
	vl_txn_abort(txn);
}

static int compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* Print the waits since then; the longest. */
static int64_t report_since(const struct run *run, const _Atomic int64_t *since)
{
	size_t n = run->sent - run->first;
	int64_t *took = calloc(n, sizeof(*took));

	must(took != NULL && n > 0, "count");
	for (size_t i = 0; i < n; i++)
		took[i] = run->seen[run->first + i] - since[run->first + i];
	qsort(took, n, sizeof(*took), compare);
	/* Headquarters may be the first to have it. */
	for (size_t i = 0; i < n && took[i] < 0; i++)
		took[i] = 0;
	printf(" %6lld %6lld %6lld", (long long)took[n / 2], (long long)took[n * 99 / 100],
	       (long long)took[n - 1]);
	int64_t most = took[n - 1];
	free(took);
	return most;
}

static int64_t report(const struct run *run, const char *name)
{
	printf("%-38s %-5s %6zu", name, run->partition == run->load_partition ? "same" : "other",
	       run->sent - run->first);
	(void)report_since(run, run->appended);
	int64_t most = report_since(run, run->arrived);
	printf("\n");
	(void)fflush(stdout);
	return most;
}

static void play(struct run *run, struct vl_store *store)
{
	pthread_t threads[2];

	run->stop = false;
	run->first = run->sent;
	must(pthread_create(&threads[0], NULL, put_load, run) == 0, "start a thread");
	must(pthread_create(&threads[1], NULL, put_flashes, run) == 0, "start a thread");
	watch(run, store);
	pthread_join(threads[0], NULL);
	pthread_join(threads[1], NULL);
	/* The peer may be the last. */
	for (int64_t until = vl_monotonic_ms() + PATIENCE_MS; run->arrived[run->sent - 1] == 0;
	     (void)poll(NULL, 0, 10))
		must(vl_monotonic_ms() < until, "have the peer receive all");
}

static bool wanted(const char *name, char **names, int n)
{
	for (int i = 0; i < n; i++)
		if (strstr(name, names[i]) != NULL)
			return true;
	return n == 0;
}

/* In the other partition, then in the same. Where the lane is another there is no same one. */
static int64_t play_scene(struct run *run, struct vl_store *store, const struct scene *scene,
			  size_t doses)
{
	int64_t most = 0;

	for (int same = 0; same <= (strcmp(scene->lane, EVACUATIONS) == 0); same++) {
		run->load_partition = same ? run->partition : 1;
		run->load.lane = scene->lane;
		for (size_t d = 0; d < doses; d++)
			scene->make(&run->load, &run->doses[d]);
		run->n_doses = doses;
		play(run, store);
		int64_t longest = report(run, scene->name);
		most = longest > most ? longest : most;
		for (size_t d = 0; d < doses; d++)
			dose_free(&run->doses[d]);
	}
	return most;
}

static int play_all(const char *brokers, const char *views, size_t doses, char **names, int n_names)
{
	static struct run run;
	static char missions[SCENES][16];
	struct vl_why why = {0};
	struct vl_store *store;
	int64_t most = 0;

	must(doses > 0, "send no doses");
	must(vl_ledger_open(views, 0, true, &store, &why) == VL_OK, why.text);
	run.brokers = brokers;
	run.doses = calloc(doses, sizeof(*run.doses));
	must(run.doses != NULL, "allocate");
	run.flash =
		(struct chain){HONEST, EVACUATIONS, signer_of(-1), .epoch = 1, .seq = 1, .next = 1};
	struct peer *peer =
		peer_open(brokers, EVACUATIONS, run.partition, HONEST, run.arrived, MOST);
	printf("%-38s %-5s %6s %20s %20s\n%-38s %-5s %6s %6s %6s %6s %6s %6s %6s\n", "", "", "",
	       "from append", "from arrival", "milliseconds to the view", "part.", "events", "p50",
	       "p99", "max", "p50", "p99", "max");
	/* Whatever happens the first time only is not what is measured. */
	run.n_doses = 1;
	run.load = (struct chain){.lane = EVACUATIONS};
	play(&run, store);
	for (size_t i = 0; scenes[i].name != NULL; i++) {
		if (i > 0 && !wanted(scenes[i].name, names, n_names))
			continue;
		name_mission((int)i, missions[i]);
		run.load = (struct chain){missions[i], NULL,     signer_of((int)i),
					  .epoch = 1,  .seq = 1, .next = 1};
		int64_t longest = play_scene(&run, store, &scenes[i], doses);
		most = longest > most ? longest : most;
		vl_signer_close(run.load.signer);
	}
	peer_close(peer);
	vl_signer_close(run.flash.signer);
	vl_store_close(store);
	free(run.doses);
	printf("the longest from arrival: %lld ms; the bar: %d ms\n", (long long)most, BAR_MS);
	return most <= BAR_MS ? 0 : 1;
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "enrol") == 0)
		return enrol(argv[2]);
	must(argc >= 5 && strcmp(argv[1], "run") == 0,
	     "run: usage: flash_bench run BROKERS VIEWS DOSES [SCENE...]");
	return play_all(argv[2], argv[3], strtoul(argv[4], NULL, 10), argv + 5, argc - 5);
}
