/*
 * flash: how long a FLASH event of one mission takes from the verifier's door to its committed row, while another mission's batches ask for
 * as much as batches can; beside the same without them.
 *
 *	flash_bench WORK_DIR FLASHES
 *
 * The load, each batch below 1 MB, again and again: a manifest of 20,000 people, one person on 8,000 legs, a chain of 8,000 merges, 2,000
 * travellers of one place and 3,000 safety checks there. It comes in partitions of its own, as fast as it is taken.
 */
#include "base/text.h"
#include "bus/batch.h"
#include "bus/keys.h"
#include "bus/wire.h"
#include "consular/case/v1/case.pb-c.h"
#include "consular/evacuation/v1/evacuation.pb-c.h"
#include "consular/traveller/v1/traveller.pb-c.h"
#include "hq/apply.h"
#include "hq/ledger.h"
#include "hq/pump.h"
#include "valise/v1/batch.pb-c.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MAP_SIZE ((size_t)8 << 30)
#define EVERY_MS 50
#define BAR_MS 250
#define MOST 10000
#define HOSTILE "CN-AA-EMB"
#define HONEST "CN-SD-EMB"
#define CASES "consular.case.v1"
#define EVACUATIONS "consular.evacuation.v1"
#define TRAVELLERS "consular.traveller.v1"

struct chain {
	const char *mission, *lane;
	int32_t partition;
	struct vl_signer *signer;
	uint64_t seq, next;
	struct vl_digest head;
	int64_t offset;
};

struct item {
	struct vl_buf value;
	char sig[VL_SIG_TEXT];
	struct vl_record record;
	int64_t put_ms;
};

static void must(bool good, const char *what)
{
	if (good)
		return;
	(void)fprintf(stderr, "flash_bench: cannot %s\n", what);
	exit(1);
}

static uint64_t ids;

static void add_event(struct vl_buf *batch, const char *subject, const ProtobufCMessage *payload)
{
	struct vl_buf packed = {0}, event = {0};
	uint8_t id[16] = {1};
	char url[160];
	Google__Protobuf__Timestamp time = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
	Valise__V1__Event said = VALISE__V1__EVENT__INIT;

	vl_put_be64(id + 8, ++ids);
	vl_wire_pack(payload, &packed);
	(void)snprintf(url, sizeof(url), "/%s", payload->descriptor->name);
	any.type_url = url;
	any.value = (ProtobufCBinaryData){packed.size, packed.data};
	time.seconds = 1682380800;
	said.id = (ProtobufCBinaryData){16, id};
	said.occurred_at = &time;
	said.subject = (char *)(uintptr_t)subject;
	said.payload = &any;
	vl_wire_pack(&said.base, &event);
	vl_batch_put_event(batch, vl_buf_bytes(&event));
	vl_buf_free(&packed);
	vl_buf_free(&event);
}

static void begin(struct item *item, struct chain *c)
{
	struct vl_batch_head head = {.mission = vl_bytes_of(c->mission),
				     .lane = vl_bytes_of(c->lane),
				     .epoch = {1},
				     .seq = {++c->seq},
				     .first_event = {c->next},
				     .prev = c->head,
				     .signed_at = {1682380800, 0}};

	*item = (struct item){0};
	vl_batch_put_head(&item->value, &head);
}

static void finish(struct item *item, struct chain *c, uint64_t n)
{
	struct vl_key_id id = vl_key_id_of(vl_signer_public(c->signer));
	struct vl_signature signature;
	struct vl_record *r = &item->record;

	c->next += n;
	c->head = vl_batch_digest(vl_buf_bytes(&item->value));
	must(item->value.size <= 1000000, "keep a batch below its limit");
	must(vl_sign(c->signer, VL_DOMAIN_BATCH, &c->head, &signature) == VL_OK, "sign");
	vl_sig_format(&id, &signature, item->sig);
	r->topic = vl_bytes_of(c->lane);
	r->partition = c->partition;
	r->offset = c->offset++;
	r->key = vl_bytes_of(c->mission);
	r->value = vl_buf_bytes(&item->value);
	r->n_headers = 2;
	r->headers[0] =
		(struct vl_header){vl_bytes_of("content-type"), vl_bytes_of(vl_domain_content_type(VL_DOMAIN_BATCH))};
	r->headers[1] = (struct vl_header){vl_bytes_of(VL_SIG_HEADER), vl_bytes_of(item->sig)};
}

/* -- the load -- */

static void put_manifest(struct item *item, struct chain *c)
{
	enum { PEOPLE = 20000 };
	Consular__Evacuation__V1__ManifestSealed said = CONSULAR__EVACUATION__V1__MANIFEST_SEALED__INIT;
	static char names[PEOPLE][12], *persons[PEOPLE];

	for (unsigned i = 0; i < PEOPLE; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "P%u", i);
		persons[i] = names[i];
	}
	said.leg = (char *)(uintptr_t) "L";
	said.n_persons = PEOPLE;
	said.persons = persons;
	begin(item, c);
	add_event(&item->value, "L", &said.base);
	finish(item, c, 1);
}

static void put_legs(struct item *item, struct chain *c)
{
	char leg[16];

	begin(item, c);
	for (unsigned i = 0; i < 8000; i++) {
		Consular__Evacuation__V1__CheckpointRecorded said = CONSULAR__EVACUATION__V1__CHECKPOINT_RECORDED__INIT;
		(void)snprintf(leg, sizeof(leg), "L%u", i);
		said.person = (char *)(uintptr_t) "P";
		said.leg = leg;
		said.checkpoint = CONSULAR__EVACUATION__V1__CHECKPOINT__CHECKPOINT_BOARDED;
		add_event(&item->value, leg, &said.base);
	}
	finish(item, c, 8000);
}

static void put_merges(struct item *item, struct chain *c)
{
	char from[16], into[16];

	begin(item, c);
	for (unsigned i = 8000; i > 0; i--) {
		Consular__Case__V1__CaseMerged said = CONSULAR__CASE__V1__CASE_MERGED__INIT;
		(void)snprintf(from, sizeof(from), "C%u", i);
		(void)snprintf(into, sizeof(into), "C%u", i + 1);
		said.into = into;
		add_event(&item->value, from, &said.base);
	}
	finish(item, c, 8000);
}

static void put_checks(struct item *item, struct chain *c)
{
	char name[16];

	begin(item, c);
	for (unsigned i = 0; i < 2000; i++) {
		Consular__Traveller__V1__TravellerRegistered said = CONSULAR__TRAVELLER__V1__TRAVELLER_REGISTERED__INIT;
		Consular__Traveller__V1__Stay stay = CONSULAR__TRAVELLER__V1__STAY__INIT;
		stay.country = (char *)(uintptr_t) "SD";
		said.residence = &stay;
		said.people = 1;
		(void)snprintf(name, sizeof(name), "T%u", i);
		add_event(&item->value, name, &said.base);
	}
	for (unsigned i = 0; i < 3000; i++) {
		Consular__Traveller__V1__SafetyCheckOpened said = CONSULAR__TRAVELLER__V1__SAFETY_CHECK_OPENED__INIT;
		said.place = (char *)(uintptr_t) "SD";
		(void)snprintf(name, sizeof(name), "S%u", i);
		add_event(&item->value, name, &said.base);
	}
	finish(item, c, 5000);
}

/* -- one run -- */

struct run {
	struct vl_verifier *verifier;
	struct chain load[3], flash;
	struct item *flashes;
	size_t n, applied;
	double took[MOST];
	atomic_bool stop;
};

static void keep(void *owner)
{
	(void)owner;
}

static void let_go(void *owner)
{
	struct item *item = owner;

	vl_buf_free(&item->value);
	free(item);
}

static void *put_load(void *context)
{
	static void (*const put[])(struct item *, struct chain *) = {put_manifest, put_legs, put_merges, put_checks};
	static const unsigned lane[] = {0, 0, 1, 2};
	struct run *run = context;

	for (unsigned i = 0; !run->stop; i++) {
		struct item *item = calloc(1, sizeof(*item));
		must(item != NULL, "allocate");
		put[i % 4](item, &run->load[lane[i % 4]]);
		if (!vl_verifier_put(run->verifier, &item->record, let_go, item))
			break;
	}
	return NULL;
}

static void *put_flashes(void *context)
{
	struct run *run = context;

	for (size_t i = 0; i < run->n && !run->stop; i++) {
		(void)poll(NULL, 0, EVERY_MS);
		run->flashes[i].put_ms = vl_monotonic_ms();
		(void)vl_verifier_put(run->verifier, &run->flashes[i].record, keep, NULL);
	}
	return NULL;
}

static void moved(void *context, const char *mission, const char *lane, struct vl_epoch epoch)
{
	struct run *run = context;

	(void)lane, (void)epoch;
	run->applied += strcmp(mission, HONEST) == 0;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void make_flashes(struct run *run)
{
	char leg[16];

	run->flashes = calloc(run->n, sizeof(*run->flashes));
	must(run->flashes != NULL, "allocate");
	for (size_t i = 0; i < run->n; i++) {
		Consular__Evacuation__V1__LegPlanned said = CONSULAR__EVACUATION__V1__LEG_PLANNED__INIT;
		(void)snprintf(leg, sizeof(leg), "SD-%zu", i);
		said.leg = leg;
		begin(&run->flashes[i], &run->flash);
		add_event(&run->flashes[i].value, leg, &said.base);
		finish(&run->flashes[i], &run->flash, 1);
	}
}

/* Sorted milliseconds in run->took. */
static void time_flashes(struct run *run, const char *dir, const char *keys, struct vl_signer *const signers[2],
			 bool loaded)
{
	struct vl_ring *ring;
	struct vl_store *store;
	struct vl_applier *applier;
	struct vl_why why = {0};
	pthread_t threads[2];

	run->load[0] = (struct chain){HOSTILE, EVACUATIONS, 0, signers[0], .next = 1};
	run->load[1] = (struct chain){HOSTILE, CASES, 0, signers[0], .next = 1};
	run->load[2] = (struct chain){HOSTILE, TRAVELLERS, 0, signers[0], .next = 1};
	run->flash = (struct chain){HONEST, EVACUATIONS, 1, signers[1], .next = 1};
	make_flashes(run);
	must(vl_ring_open(keys, &ring, &why) == VL_OK, why.text);
	must(vl_ledger_open(dir, MAP_SIZE, false, &store, &why) == VL_OK, why.text);
	must(vl_verifier_open(ring, 2, &run->verifier, &why) == VL_OK, why.text);
	must(vl_applier_open(store, &applier) == VL_OK, "apply");
	vl_apply_watch(applier, moved, run);
	if (loaded)
		must(pthread_create(&threads[0], NULL, put_load, run) == 0, "start a thread");
	must(pthread_create(&threads[1], NULL, put_flashes, run) == 0, "start a thread");
	for (size_t seen = 0; seen < run->n;) {
		enum vl_err err = vl_pump(run->verifier, applier, 1000, &why);
		must(err == VL_OK || err == VL_ERR_TIMEOUT, why.text);
		for (; seen < run->applied; seen++)
			run->took[seen] = (double)(vl_monotonic_ms() - run->flashes[seen].put_ms);
	}
	run->stop = true;
	vl_verifier_stop(run->verifier);
	if (loaded)
		pthread_join(threads[0], NULL);
	pthread_join(threads[1], NULL);
	vl_verifier_close(run->verifier);
	vl_applier_close(applier);
	vl_store_close(store);
	for (size_t i = 0; i < run->n; i++)
		vl_buf_free(&run->flashes[i].value);
	free(run->flashes);
	qsort(run->took, run->n, sizeof(run->took[0]), compare);
}

static struct vl_signer *enrol(const char *keys, const char *mission, uint8_t number)
{
	char path[4096], hex[65];
	uint8_t seed[32] = {number, 7};
	struct vl_signer *signer;

	must(vl_signer_open(seed, &signer) == VL_OK, "make a key");
	(void)snprintf(path, sizeof(path), "%s/%s.pub", keys, mission);
	FILE *file = fopen(path, "w");
	must(file != NULL, "write a key");
	(void)fprintf(file, "%s %s\n", mission, vl_hex(vl_signer_public(signer)->bytes, 32, hex));
	(void)fclose(file);
	return signer;
}

int main(int argc, char **argv)
{
	static struct run runs[2];
	char keys[4000], dir[4000];

	must(argc == 3, "run: usage: flash_bench WORK_DIR FLASHES");
	(void)snprintf(keys, sizeof(keys), "%s/keys", argv[1]);
	must(mkdir(keys, 0700) == 0, "make a folder");
	struct vl_signer *signers[2] = {enrol(keys, HOSTILE, 1), enrol(keys, HONEST, 2)};
	for (int loaded = 0; loaded < 2; loaded++) {
		runs[loaded].n = strtoul(argv[2], NULL, 10);
		must(runs[loaded].n > 0 && runs[loaded].n <= MOST, "send so many");
		(void)snprintf(dir, sizeof(dir), "%s/%s", argv[1], loaded ? "loaded" : "alone");
		time_flashes(&runs[loaded], dir, keys, signers, loaded);
		printf("%s: median %.0f ms, most %.0f ms\n", loaded ? "beside another's load" : "alone",
		       runs[loaded].took[runs[loaded].n / 2], runs[loaded].took[runs[loaded].n - 1]);
	}
	double alone = runs[0].took[runs[0].n / 2], most = runs[1].took[runs[1].n - 1];
	printf("ratio of the medians %.1f; the bar: %d ms at most\n",
	       runs[1].took[runs[1].n / 2] / (alone > 0 ? alone : 1), BAR_MS);
	vl_signer_close(signers[0]);
	vl_signer_close(signers[1]);
	return most <= BAR_MS ? 0 : 1;
}
