#include "hq/ingest/pump.h"

#include "base/clock.h"
#include "base/failpoint.h"

#define MOST_STEPS 100000 /* then it is committed (fold.h) */
#define MOST_BYTES ((size_t)2 << 20)
#define SOON_BYTES ((size_t)256 << 10)
#define FRESH_MS 500

/* How long each phase of a transaction may take, at most; and where a FLASH record that came alone
 * waits for it to end, or is in it and has not waited for long. Of who sends many it is best to do
 * much at a time. */
#define OFTEN_MS           \
	{                  \
		60, 20, 70 \
	}
#define SOON_MS           \
	{                 \
		10, 5, 30 \
	}

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
	struct vl_fold_pace pace = {vl_monotonic_ms, OFTEN_MS, vl_verifier_hurries,
				    verifier,        SOON_MS,  false};
	size_t bytes = 0;
	enum vl_err err = vl_apply_begin(applier, why);
	if (err != VL_OK)
		return err;
	vl_apply_pace(applier, &pace);
	for (unsigned records = 1; job != NULL; records++) {
		if (!pace.soon && is_fresh(job)) {
			pace.soon = true;
			vl_apply_pace(applier, &pace);
		}
		if (job->put_off_to != 0)
			vl_apply_put_off(applier, job->record, job->put_off_to, &job->mark);
		else if (job->again)
			vl_apply_again(applier, job->record, job->verdict, &job->verified,
				       job->facts, &job->why);
		else
			vl_apply_in_turn(applier, job->record, &job->mark, job->verdict,
					 &job->verified, job->facts, &job->why);
		(void)vl_failpoint("hq.mid-apply");
		bytes += job->record->value.size;
		bool soon = pace.soon || vl_verifier_hurries(verifier);
		bool room = records < VL_VERIFIER_TAKE && vl_apply_steps(applier) < MOST_STEPS &&
			    bytes < (soon ? SOON_BYTES : MOST_BYTES) &&
			    vl_monotonic_ms() - began <
				    (soon ? pace.soon_ms : pace.most_ms)[VL_PHASE_FILE];
		job = room ? vl_verifier_next(verifier, 0) : NULL;
	}
	(void)vl_apply_drain(applier);
	(void)vl_failpoint("hq.before-commit");
	err = vl_apply_commit(applier, why);
	(void)vl_failpoint("hq.after-commit");
	vl_verifier_done(verifier);
	return err;
}
