/* An outbox whose disk rots: each bit, each length. reliability: 6. */
#include "agent/outbox/outbox_rows.h"
#include "faults.h"
#include "outbox_world.h"
#include "rot.h"

struct run {
	char dir[64], sound[80], folder[80];
	struct box box;
};

static int setup(void **state)
{
	struct run *run = calloc(1, sizeof(*run));

	assert_non_null(run);
	faults_folder(run->dir);
	(void)snprintf(run->sound, sizeof(run->sound), "%s/sound", run->dir);
	(void)snprintf(run->folder, sizeof(run->folder), "%s/folder", run->dir);
	box_init(&run->box, run->sound);
	assert_int_equal(box_open(&run->box), VL_OK);
	for (unsigned s = 0; s < BOX_STEPS; s++)
		assert_int_equal(box_step(&run->box, s), VL_OK);
	box_close(&run->box);
	*state = run;
	return 0;
}

static int teardown(void **state)
{
	struct run *run = *state;

	box_free(&run->box);
	faults_remove(run->dir);
	free(run);
	return 0;
}

/* What is served, against what was stored: the same bytes, under the same numbers. */
static enum rot_verdict compare(const struct box *box, const struct vl_outbox_batch *batch)
{
	for (size_t i = 0; i < box->n_batches; i++) {
		const struct box_batch *stored = &box->batches[i];
		if (memcmp(stored->digest, batch->digest.bytes, 32) == 0)
			return stored->epoch == batch->epoch.n && stored->seq == batch->seq.n &&
					       strcmp(stored->lane, batch->lane) == 0
				       ? ROT_SAME
				       : ROT_UNSEEN;
	}
	return ROT_WRONG;
}

/* What a link would send, and what headquarters would say to it. */
static enum rot_verdict look_at_batches(struct box *box)
{
	struct audit audit = {.mission = BOX_MISSION};
	struct vl_outbox_look *look = vl_outbox_look(box->outbox, NULL);
	struct vl_outbox_batch batch = {0};
	enum rot_verdict worst = ROT_SAME;
	size_t n = 0;

	memcpy(audit.key, vl_signer_public(box->signer)->bytes, 32);
	while (look != NULL && worst == ROT_SAME && vl_outbox_each(look, &batch)) {
		n++;
		if (batch.state == VL_OUTBOX_DAMAGED || !vl_outbox_intact(&batch))
			worst = ROT_FOUND;
		else if (!audit_batch(&audit, batch.value.data, batch.value.size,
				      batch.signature.bytes))
			worst = ROT_LATER;
		else if (compare(box, &batch) != ROT_SAME)
			worst = compare(box, &batch);
	}
	if (look == NULL || vl_outbox_look_err(look) != VL_OK)
		worst = ROT_REFUSED;
	else if (worst == ROT_SAME && n != box->n_batches)
		worst = ROT_LATER; /* the chain has a hole, or ends too early */
	vl_outbox_look_end(look);
	audit_free(&audit);
	return worst;
}

static bool commit(struct box *box)
{
	return vl_outbox_commit(box->outbox, NULL) == VL_OK;
}

/* Give up the first batch that is damaged, and carry what is behind it. False where there is
 * none, or the store says no. */
static bool give_up_one(struct box *box)
{
	struct vl_outbox_look *look = vl_outbox_look(box->outbox, NULL);
	struct vl_outbox_batch batch = {0};
	char lane[256] = "";
	bool found = false;

	while (look != NULL && !found && vl_outbox_each(look, &batch))
		found = !vl_outbox_intact(&batch);
	if (found)
		(void)snprintf(lane, sizeof(lane), "%s", batch.lane);
	vl_outbox_look_end(look);
	if (!found || vl_outbox_begin(box->outbox, NULL) != VL_OK)
		return false;
	bool done = vl_outbox_give_up(box->outbox, lane, batch.epoch, batch.seq);
	if (!commit(box))
		return false;
	for (unsigned i = 0; done && vl_outbox_freeing(box->outbox) && i < 100; i++) {
		if (vl_outbox_begin(box->outbox, NULL) != VL_OK)
			return false;
		vl_outbox_free_some(box->outbox);
		if (!commit(box))
			return false;
	}
	return done;
}

/* What was found damaged costs itself: once it is given up all that is kept is whole, or the
 * store says that it is not. */
static enum rot_verdict mend(struct box *box)
{
	struct vl_outbox_batch batch = {0};
	uint64_t lost;

	do
		lost = vl_outbox_lost(box->outbox);
	while (give_up_one(box) && vl_outbox_lost(box->outbox) > lost);
	struct vl_outbox_look *look = vl_outbox_look(box->outbox, NULL);
	bool whole = look != NULL;
	while (whole && vl_outbox_each(look, &batch))
		whole = vl_outbox_intact(&batch) || batch.state == VL_OUTBOX_APPLIED;
	bool refused = look == NULL || vl_outbox_look_err(look) != VL_OK;
	vl_outbox_look_end(look);
	return whole || refused || vl_outbox_lost(box->outbox) == 0 ? ROT_FOUND : ROT_WRONG;
}

static enum rot_verdict judge(void *context, const char *folder)
{
	struct run *run = context;
	struct box *box = &run->box;

	(void)snprintf(box->path, sizeof(box->path), "%s", folder);
	box->wrong[0] = '\0';
	if (box_open(box) != VL_OK)
		return ROT_REFUSED;
	/* A chain whose head rotted began anew, and open said so. */
	if (vl_outbox_repaired(box->outbox) > 0) {
		box_close(box);
		return ROT_FOUND;
	}
	enum rot_verdict verdict = look_at_batches(box);
	if (verdict == ROT_FOUND)
		verdict = mend(box);
	box_close(box);
	if (verdict != ROT_SAME)
		return verdict;
	/* All batches are as they were. Do the answers and the next batches fit as well? */
	if (box_check(box, BOX_STEPS, true))
		return ROT_SAME;
	if (getenv("VALISE_SHOW") != NULL) {
		printf("%s\n", box->wrong);
		(void)fflush(stdout);
	}
	if (strstr(box->wrong, "not open after") != NULL)
		return ROT_LATER;
	if (strstr(box->wrong, "damaged") != NULL)
		return ROT_REFUSED;
	return strstr(box->wrong, "follow") != NULL || strstr(box->wrong, "know the batch") != NULL
		       ? ROT_LATER
		       : ROT_UNSEEN;
}

static void test_every_bit_may_turn(void **state)
{
	struct run *run = *state;
	struct rot rot = {
		.sound = run->sound, .folder = run->folder, .judge = judge, .context = run};

	rot_bits(&rot, "outbox");
	assert_true(rot.counts[ROT_FOUND] > 0 && rot.counts[ROT_REFUSED] > 0);
}

static void test_every_page_may_be_cut_off(void **state)
{
	struct run *run = *state;
	struct rot rot = {
		.sound = run->sound, .folder = run->folder, .judge = judge, .context = run};

	rot_cut(&rot, "outbox");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_every_bit_may_turn, setup, teardown),
		cmocka_unit_test_setup_teardown(test_every_page_may_be_cut_off, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
