#include "hq/pump.h"

#include "base/clock.h"
#include "base/failpoint.h"

#define MOST_STEPS 100000 /* then it is committed (fold.h) */
#define MOST_BYTES ((size_t)32 << 20)
#define MOST_MS 200

enum vl_err vl_pump(struct vl_verifier *verifier, struct vl_applier *applier, int timeout_ms, struct vl_why *why)
{
	bool left = vl_apply_left(applier) > 0 || vl_apply_waits(applier);
	const struct vl_job *job = vl_verifier_next(verifier, left ? 0 : timeout_ms);
	if (job == NULL && !left)
		return VL_ERR_TIMEOUT;

	(void)vl_failpoint("hq.after-verify");
	int64_t until = vl_monotonic_ms() + MOST_MS;
	size_t bytes = 0;
	enum vl_err err = vl_apply_begin(applier, why);
	if (err != VL_OK)
		return err;
	for (unsigned records = 1; job != NULL; records++) {
		if (job->again)
			vl_apply_again(applier, job->record, job->verdict, &job->verified, job->facts);
		else
			vl_apply_record(applier, job->record, job->verdict, &job->verified, job->facts, &job->why);
		(void)vl_failpoint("hq.mid-apply");
		bytes += job->record->value.size;
		bool room = records < VL_VERIFIER_TAKE && vl_apply_steps(applier) < MOST_STEPS && bytes < MOST_BYTES &&
			    vl_monotonic_ms() < until;
		job = room ? vl_verifier_next(verifier, 0) : NULL;
	}
	(void)vl_apply_drain(applier);
	(void)vl_failpoint("hq.before-commit");
	err = vl_apply_commit(applier, why);
	(void)vl_failpoint("hq.after-commit");
	vl_verifier_done(verifier);
	return err;
}
