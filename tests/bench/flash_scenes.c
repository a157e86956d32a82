#include "flash_scenes.h"

#include "base/text.h"
#include "bus/wire.h"
#include "consular/case/v1/case.pb-c.h"
#include "consular/evacuation/v1/evacuation.pb-c.h"
#include "consular/traveller/v1/traveller.pb-c.h"
#include "valise/v1/batch.pb-c.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BATCH_MOST 1000000

void must(bool good, const char *what)
{
	if (good)
		return;
	(void)fprintf(stderr, "flash_bench: cannot %s\n", what);
	exit(1);
}

static char *text(const char *constant)
{
	return (char *)(uintptr_t)constant;
}

static void add_event(struct vl_buf *batch, const char *subject, const ProtobufCMessage *payload)
{
	static uint64_t ids;
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
	said.subject = text(subject);
	said.payload = &any;
	vl_wire_pack(&said.base, &event);
	vl_batch_put_event(batch, vl_buf_bytes(&event));
	vl_buf_free(&packed);
	vl_buf_free(&event);
}

static void begin(struct ready *ready, const struct chain *c)
{
	struct vl_batch_head head = {.mission = vl_bytes_of(c->mission),
				     .lane = vl_bytes_of(c->lane),
				     .epoch = {c->epoch},
				     .seq = {c->seq},
				     .first_event = {c->next},
				     .prev = c->head,
				     .signed_at = {1682380800, 0}};

	*ready = (struct ready){0};
	vl_batch_put_head(&ready->value, &head);
}

static void sign(struct ready *ready, const struct chain *c, struct vl_digest *digest)
{
	struct vl_key_id id = vl_key_id_of(vl_signer_public(c->signer));
	struct vl_signature signature;

	must(ready->value.size <= BATCH_MOST, "keep a batch below its limit");
	*digest = vl_batch_digest(vl_buf_bytes(&ready->value));
	must(vl_sign(c->signer, VL_DOMAIN_BATCH, digest, &signature) == VL_OK, "sign");
	vl_sig_format(&id, &signature, ready->sig);
}

/* Of `n` events; the chain goes on behind it. */
static void finish(struct ready *ready, struct chain *c, uint64_t n)
{
	sign(ready, c, &c->head);
	c->seq++;
	c->next += n;
}

static void begin_epoch(struct chain *c)
{
	c->epoch++;
	c->seq = c->next = 1;
}

static struct ready *add(struct dose *dose)
{
	struct ready *larger = realloc(dose->batches, (dose->n + 1) * sizeof(*larger));

	must(larger != NULL, "allocate");
	dose->batches = larger;
	return &dose->batches[dose->n++];
}

void dose_free(struct dose *dose)
{
	for (size_t i = 0; i < dose->n; i++)
		vl_buf_free(&dose->batches[i].value);
	free(dose->batches);
	*dose = (struct dose){0};
}

void plan_leg(struct chain *c, const char *leg, struct ready *ready)
{
	Consular__Evacuation__V1__LegPlanned said = CONSULAR__EVACUATION__V1__LEG_PLANNED__INIT;

	said.leg = text(leg);
	begin(ready, c);
	add_event(&ready->value, leg, &said.base);
	finish(ready, c, 1);
}

/* -- scenes -- */

static void nothing(struct chain *c, struct dose *dose)
{
	(void)c, (void)dose;
}

static void put_boardings(struct ready *ready, struct chain *c, unsigned n)
{
	char leg[16];

	begin(ready, c);
	for (unsigned i = 0; i < n; i++) {
		Consular__Evacuation__V1__CheckpointRecorded said =
			CONSULAR__EVACUATION__V1__CHECKPOINT_RECORDED__INIT;
		(void)snprintf(leg, sizeof(leg), "L%u", i);
		said.person = text("P");
		said.leg = leg;
		said.checkpoint = CONSULAR__EVACUATION__V1__CHECKPOINT__CHECKPOINT_BOARDED;
		add_event(&ready->value, leg, &said.base);
	}
}

static void one_person_many_legs(struct chain *c, struct dose *dose)
{
	struct ready *ready = add(dose);

	put_boardings(ready, c, 8500);
	finish(ready, c, 8500);
}

static void put_manifest(struct chain *c, struct ready *ready)
{
	enum { PEOPLE = 20000 };
	static char names[PEOPLE][12], *persons[PEOPLE];
	Consular__Evacuation__V1__ManifestSealed said =
		CONSULAR__EVACUATION__V1__MANIFEST_SEALED__INIT;

	for (unsigned i = 0; i < PEOPLE; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "P%u", i);
		persons[i] = names[i];
	}
	said.leg = text("L");
	said.n_persons = PEOPLE;
	said.persons = persons;
	begin(ready, c);
	add_event(&ready->value, "L", &said.base);
	finish(ready, c, 1);
}

static void manifest_twice(struct chain *c, struct dose *dose)
{
	put_manifest(c, add(dose));
	put_manifest(c, add(dose));
}

static void chain_of_people(struct chain *c, struct dose *dose)
{
	enum { MERGES = 8000 };
	char person[16], kept[16];
	struct ready *ready = add(dose);

	begin(ready, c);
	for (unsigned i = MERGES; i > 0; i--) {
		Consular__Evacuation__V1__PersonsMerged said =
			CONSULAR__EVACUATION__V1__PERSONS_MERGED__INIT;
		(void)snprintf(person, sizeof(person), "M%u", i);
		(void)snprintf(kept, sizeof(kept), "M%u", i + 1);
		said.person = person;
		said.kept = kept;
		add_event(&ready->value, person, &said.base);
	}
	finish(ready, c, MERGES);
}

static void chain_of_cases(struct chain *c, struct dose *dose)
{
	enum { MERGES = 9000 };
	char from[16], into[16];
	struct ready *ready = add(dose);

	begin(ready, c);
	for (unsigned i = MERGES; i > 0; i--) {
		Consular__Case__V1__CaseMerged said = CONSULAR__CASE__V1__CASE_MERGED__INIT;
		(void)snprintf(from, sizeof(from), "C%u", i);
		(void)snprintf(into, sizeof(into), "C%u", i + 1);
		said.into = into;
		add_event(&ready->value, from, &said.base);
	}
	finish(ready, c, MERGES);
}

static void put_people(struct ready *ready, struct chain *c, unsigned n)
{
	char name[16];

	begin(ready, c);
	for (unsigned i = 0; i < n; i++) {
		Consular__Traveller__V1__TravellerRegistered said =
			CONSULAR__TRAVELLER__V1__TRAVELLER_REGISTERED__INIT;
		Consular__Traveller__V1__Stay stay = CONSULAR__TRAVELLER__V1__STAY__INIT;
		stay.country = text("SD");
		said.residence = &stay;
		said.people = 1;
		(void)snprintf(name, sizeof(name), "T%u", i);
		add_event(&ready->value, name, &said.base);
	}
	finish(ready, c, n);
}

static void many_checks(struct chain *c, struct dose *dose)
{
	enum { CHECKS = 3000 };
	char name[16];

	put_people(add(dose), c, 8000);
	struct ready *ready = add(dose);
	begin(ready, c);
	for (unsigned i = 0; i < CHECKS; i++) {
		Consular__Traveller__V1__SafetyCheckOpened said =
			CONSULAR__TRAVELLER__V1__SAFETY_CHECK_OPENED__INIT;
		said.place = text("SD");
		(void)snprintf(name, sizeof(name), "S%u", i);
		add_event(&ready->value, name, &said.base);
	}
	finish(ready, c, CHECKS);
}

/* Batches of 765 kB, each signed for the place of the first. */
static void many_forks(struct chain *c, struct dose *dose)
{
	struct vl_digest digest;
	struct chain first;

	begin_epoch(c);
	first = *c;
	plan_leg(c, "F", add(dose));
	for (unsigned i = 0; i < 200; i++) {
		struct ready *ready = add(dose);
		put_boardings(ready, &first, 8500 - i);
		sign(ready, &first, &digest);
	}
}

static void epochs_that_follow_on_nothing(struct chain *c, struct dose *dose)
{
	struct chain strange = *c;

	for (unsigned i = 0; i < 1000; i++) {
		begin_epoch(&strange);
		strange.head.bytes[0] ^= 1;
		plan_leg(&strange, "E", add(dose));
	}
	for (unsigned i = 0; i < 30; i++) {
		begin_epoch(&strange);
		strange.head.bytes[0] ^= 2;
		plan_leg(&strange, "E", add(dose));
	}
	c->epoch = strange.epoch;
}

/* The batch before them comes last. */
static void gap_that_closes(struct chain *c, struct dose *dose)
{
	struct ready last;

	plan_leg(c, "G", &last);
	for (unsigned i = 0; i < 64; i++) {
		struct ready *ready = add(dose);
		put_boardings(ready, c, 8500);
		finish(ready, c, 8500);
	}
	*add(dose) = last;
}

const struct scene scenes[] = {
	{"nothing", EVACUATIONS, nothing},
	{"8,500 boardings of one person", EVACUATIONS, one_person_many_legs},
	{"a manifest of 20,000, twice", EVACUATIONS, manifest_twice},
	{"a chain of 8,000 merged people", EVACUATIONS, chain_of_people},
	{"a chain of 9,000 merged cases", CASES, chain_of_cases},
	{"3,000 safety checks over 8,000", TRAVELLERS, many_checks},
	{"200 forks", EVACUATIONS, many_forks},
	{"1,030 epochs that follow on nothing", EVACUATIONS, epochs_that_follow_on_nothing},
	{"a gap of 65 batches that closes", EVACUATIONS, gap_that_closes},
	{NULL, NULL, NULL},
};
