#include "hq/ingest/pump.h"

#include "base/clock.h"
#include "base/failpoint.h"

#define MOST_STEPS 100000 /* then it is committed (fold.h) */
#define MOST_BYTES ((size_t)4 << 20)
#define FRESH_MS 100

/* How long each phase of a transaction may take, at most; and where a FLASH record is in it that
 * came alone and has not waited for long. Of who sends many it is best to do much at a time. */
static const struct vl_fold_pace often = {vl_monotonic_ms, {60, 20, 70}},
				 soon = {vl_monotonic_ms, {10, 5, 30}};

static bool is_fresh(const struct vl_job *job)
{
	return job->urgent && vl_monotonic_ms() - job->put_ms < FRESH_MS;
}

enum vl_err vl_pump(struct vl_verifier *verifier, struct vl_applier *applier, int timeout_ms,
		    struct vl_why *why)
{
	bool left = vl_apply_left(applier) > 0 || vl_apply_waits(applier);
	const struct vl_job *job = vl_verifier_next(verifier, left ? 0 : timeout_ms);
	if (job == NULL && !left)
		return VL_ERR_TIMEOUT;

	(void)vl_failpoint("hq.after-verify");
	int64_t began = vl_monotonic_ms();
	const struct vl_fold_pace *pace = &often;
	size_t bytes = 0;
	enum vl_err err = vl_apply_begin(applier, why);
	if (err != VL_OK)
		return err;
	vl_apply_pace(applier, pace);
	for (unsigned records = 1; job != NULL; records++) {
		if (pace != &soon && is_fresh(job)) {
			pace = &soon;
			vl_apply_pace(applier, pace);
		}
		if (job->again)
			vl_apply_again(applier, job->record, job->verdict, &job->verified,
				       job->facts);
		else
			vl_apply_in_turn(applier, job->record, &job->mark, job->verdict,
					 &job->verified, job->facts, &job->why);
		(void)vl_failpoint("hq.mid-apply");
		bytes += job->record->value.size;
		bool room = records < VL_VERIFIER_TAKE && vl_apply_steps(applier) < MOST_STEPS &&
			    bytes < MOST_BYTES &&
			    vl_monotonic_ms() - began < pace->most_ms[VL_PHASE_FILE];
		job = room ? vl_verifier_next(verifier, 0) : NULL;
	}
	(void)vl_apply_drain(applier);
	(void)vl_failpoint("hq.before-commit");
	err = vl_apply_commit(applier, why);
	(void)vl_failpoint("hq.after-commit");
	vl_verifier_done(verifier);
	return err;
}
