#include "outbox_world.h"

#include "store/store.h"

#define ALERT_TYPE "consular.alert.v1.AlertDrafted"

struct sending {
	uint64_t id; /* 0: without one */
	const char *type;
	size_t extra;
};

static const struct {
	struct sending events[BOX_EVENTS];
	bool abort;
	uint64_t ack; /* of the case lane, where not 0 */
} steps[BOX_STEPS] = {
	{.events = {{1, CASE_TYPE, 10}, {2, CASE_TYPE, 20}, {3, FLASH_TYPE, 30}}},
	{.events = {{1, CASE_TYPE, 10}, {4, CASE_TYPE, 0}, {0, CASE_TYPE, 5}}},
	/* more than one batch holds */
	{.events = {{5, CASE_TYPE, 700},
		    {6, CASE_TYPE, 700},
		    {7, CASE_TYPE, 700},
		    {8, FLASH_TYPE, 10}}},
	{.events = {{9, CASE_TYPE, 1}}, .ack = 3},
	{.events = {{10, CASE_TYPE, 1}, {11, FLASH_TYPE, 900}, {12, CASE_TYPE, 900}},
	 .abort = true},
	{.events = {{10, CASE_TYPE, 1},
		    {10, CASE_TYPE, 1},
		    {13, ALERT_TYPE, 9},
		    {3, FLASH_TYPE, 30}}},
	{.ack = 5},
	/* on overflow pages */
	{.events = {{14, CASE_TYPE, 9000}, {15, FLASH_TYPE, 5000}, {0, ALERT_TYPE, 3}}},
	{.events = {{16, CASE_TYPE, 300},
		    {17, CASE_TYPE, 300},
		    {18, CASE_TYPE, 300},
		    {19, CASE_TYPE, 300},
		    {20, CASE_TYPE, 300},
		    {21, CASE_TYPE, 300},
		    {22, FLASH_TYPE, 100},
		    {23, FLASH_TYPE, 100},
		    {24, ALERT_TYPE, 100},
		    {25, ALERT_TYPE, 100},
		    {14, CASE_TYPE, 9000}},
	 .ack = 6},
};

static bool lie;

void __real_vl_store_use(struct vl_store *store, struct vl_store_use *use);
void __wrap_vl_store_use(struct vl_store *store, struct vl_store_use *use);
void __wrap_vl_store_use(struct vl_store *store, struct vl_store_use *use)
{
	__real_vl_store_use(store, use);
	if (lie)
		*use = (struct vl_store_use){.room = (size_t)1 << 40};
}

void box_lie(bool there_is_room)
{
	lie = there_is_room;
}

static struct vl_time box_now(void *context)
{
	return ((struct box *)context)->now;
}

static bool used(unsigned step, unsigned i)
{
	return i < BOX_EVENTS && steps[step].events[i].type != NULL;
}

void box_init(struct box *box, const char *path)
{
	memset(box, 0, sizeof(*box));
	(void)snprintf(box->path, sizeof(box->path), "%s", path);
	box->signer = world_signer(1);
	box->clock = (struct vl_clock){box_now, box};
	box->rand = (struct vl_rand){fixture_fill, &box->seed};
	box->size = VL_OUTBOX_SIZE_MIN;
	for (unsigned s = 0; s < BOX_STEPS; s++)
		for (unsigned i = 0; used(s, i); i++) {
			const struct sending *sending = &steps[s].events[i];
			(void)world_event(&box->events[s][i], sending->id, sending->type,
					  sending->extra);
		}
	box_restart(box);
}

void box_free(struct box *box)
{
	box_close(box);
	vl_signer_close(box->signer);
	for (unsigned s = 0; s < BOX_STEPS; s++)
		for (unsigned i = 0; i < BOX_EVENTS; i++)
			vl_buf_free(&box->events[s][i]);
}

void box_restart(struct box *box)
{
	box->n_promises = box->n_batches = 0;
	box->seed = 42;
	box->now = (struct vl_time){NOW, 0};
	box->wrong[0] = '\0';
}

bool box_wrong(struct box *box, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (box->wrong[0] == '\0')
		(void)vsnprintf(box->wrong, sizeof(box->wrong), format, args);
	va_end(args);
	return false;
}

static enum vl_err open_box(struct box *box, struct vl_why *why)
{
	struct vl_outbox_options options = {.path = box->path,
					    .size = box->size,
					    .batch_bytes = VL_OUTBOX_BATCH_MIN,
					    .mission = BOX_MISSION,
					    .signer = box->signer,
					    .clock = &box->clock,
					    .rand = &box->rand};

	return vl_outbox_open(&options, &box->outbox, why);
}

enum vl_err box_open(struct box *box)
{
	struct vl_why why = {0};

	return open_box(box, &why);
}

void box_close(struct box *box)
{
	vl_outbox_close(box->outbox);
	box->outbox = NULL;
}

/* -- what was said -- */

static struct box_promise *find_promise(struct box *box, const uint8_t id[16])
{
	for (size_t i = 0; i < box->n_promises; i++)
		if (memcmp(box->promises[i].id, id, 16) == 0)
			return &box->promises[i];
	return NULL;
}

static void hear(struct box *box, unsigned step, const struct vl_buf *event,
		 const struct vl_accepted *accepted, bool doubtful)
{
	struct box_promise said = {
		.epoch = accepted->epoch.n, .number = accepted->event.n, .step = step};
	struct box_promise *before = find_promise(box, accepted->id.bytes);
	uint8_t given[16], none[16] = {0};

	(void)snprintf(said.lane, sizeof(said.lane), "%s", accepted->lane);
	memcpy(said.id, accepted->id.bytes, 16);
	said.doubtful = doubtful;
	(void)audit_read_event(event->data, event->size, given, said.digest);
	if (memcmp(given, none, 16) != 0 && memcmp(given, said.id, 16) != 0)
		(void)box_wrong(box, "step %u answered another id than was given", step);
	if (accepted->duplicate != (before != NULL))
		(void)box_wrong(box, "step %u: %s", step,
				before != NULL ? "an id is new for the second time"
					       : "a new id is called known");
	if (before != NULL) {
		if (before->epoch != said.epoch || before->number != said.number ||
		    strcmp(before->lane, said.lane) != 0)
			(void)box_wrong(box,
					"step %u answered a known id in another way than at first",
					step);
		return;
	}
	if (box->n_promises == sizeof(box->promises) / sizeof(box->promises[0]))
		abort();
	box->promises[box->n_promises++] = said;
}

/* What a link could send now, it may have sent. */
static void see_batches(struct box *box, unsigned step)
{
	struct vl_outbox_look *look = vl_outbox_look(box->outbox, NULL);
	struct vl_outbox_batch batch = {0};
	size_t i = 0;

	while (look != NULL && vl_outbox_each(look, &batch)) {
		for (i = 0; i < box->n_batches; i++)
			if (strcmp(box->batches[i].lane, batch.lane) == 0 &&
			    box->batches[i].epoch == batch.epoch.n &&
			    box->batches[i].seq == batch.seq.n)
				break;
		if (i < box->n_batches)
			continue;
		struct box_batch seen = {.epoch = batch.epoch.n, .seq = batch.seq.n, .step = step};
		(void)snprintf(seen.lane, sizeof(seen.lane), "%s", batch.lane);
		memcpy(seen.digest, batch.digest.bytes, 32);
		if (box->n_batches < sizeof(box->batches) / sizeof(box->batches[0]))
			box->batches[box->n_batches++] = seen;
	}
	vl_outbox_look_end(look);
}

static bool shown(const struct box *box, const struct box_batch *wanted)
{
	struct vl_outbox_look *look = vl_outbox_look(box->outbox, NULL);
	struct vl_outbox_batch batch = {0};
	bool found = false;

	while (look != NULL && !found && vl_outbox_each(look, &batch))
		found = strcmp(wanted->lane, batch.lane) == 0 && wanted->epoch == batch.epoch.n &&
			wanted->seq == batch.seq.n &&
			memcmp(wanted->digest, batch.digest.bytes, 32) == 0;
	vl_outbox_look_end(look);
	return found;
}

/* -- a step -- */

struct answers {
	struct vl_accepted accepted[BOX_EVENTS];
	bool taken[BOX_EVENTS];
};

static void send_all(struct box *box, unsigned step, struct answers *answers)
{
	for (unsigned i = 0; used(step, i) && !vl_outbox_failed(box->outbox); i++) {
		struct vl_why why = {0};
		enum vl_err err = vl_outbox_accept(box->outbox, vl_buf_bytes(&box->events[step][i]),
						   &answers->accepted[i], &why);
		answers->taken[i] = err == VL_OK;
		if (vl_err_class(err) == VL_CLASS_REJECT)
			(void)box_wrong(box, "step %u refused a good event: %s", step,
					vl_why_text(&why, err));
	}
}

static void hear_all(struct box *box, unsigned step, const struct answers *answers, bool doubtful)
{
	for (unsigned i = 0; used(step, i); i++)
		if (answers->taken[i])
			hear(box, step, &box->events[step][i], &answers->accepted[i], doubtful);
}

static void put_ack(struct box *box, unsigned step)
{
	if (steps[step].ack != 0)
		vl_outbox_ack(box->outbox, CASE_LANE, (struct vl_epoch){NOW},
			      (struct vl_seq){steps[step].ack});
}

enum vl_err box_step(struct box *box, unsigned step)
{
	struct answers answers = {0};
	struct vl_why why = {0};

	box->now.seconds++;
	enum vl_err err = vl_outbox_begin(box->outbox, &why);
	if (err != VL_OK)
		return err;
	send_all(box, step, &answers);
	put_ack(box, step);
	box->failed_early = vl_outbox_failed(box->outbox);
	if (steps[step].abort) {
		err = vl_outbox_failed(box->outbox) ? vl_outbox_commit(box->outbox, &why) : VL_OK;
		vl_outbox_abort(box->outbox);
		return err;
	}
	err = vl_outbox_commit(box->outbox, &why);
	if (err == VL_OK || err == VL_ERR_OUTCOME_UNKNOWN)
		hear_all(box, step, &answers, err != VL_OK);
	if (err == VL_OK)
		see_batches(box, step);
	return err;
}

/* Wait for a step that is being committed, and hear what became of it. */
static enum vl_err land(struct box *box, unsigned step, const struct answers *answers,
			void (*done)(unsigned step))
{
	enum vl_err err = vl_outbox_land(box->outbox, NULL);

	if (err == VL_OK || err == VL_ERR_OUTCOME_UNKNOWN)
		hear_all(box, step, answers, err != VL_OK);
	if (err == VL_OK && done != NULL)
		done(step);
	return err;
}

unsigned box_fly(struct box *box, unsigned from, void (*done)(unsigned step), enum vl_err *err)
{
	struct answers answers[2];
	unsigned flying = BOX_STEPS;

	for (unsigned s = from; s < BOX_STEPS; s++) {
		struct answers *mine = &answers[s % 2];
		*mine = (struct answers){0};
		box->now.seconds++;
		*err = vl_outbox_begin(box->outbox, NULL);
		if (*err == VL_OK) {
			send_all(box, s, mine);
			put_ack(box, s);
		}
		enum vl_err landed =
			flying < BOX_STEPS ? land(box, flying, &answers[flying % 2], done) : VL_OK;
		if (landed != VL_OK && *err == VL_OK && !vl_outbox_failed(box->outbox))
			(void)box_wrong(box,
					"what was begun during a commit that failed does not fail");
		if (landed != VL_OK) {
			vl_outbox_abort(box->outbox);
			*err = landed;
			return flying;
		}
		flying = BOX_STEPS;
		if (*err == VL_OK && steps[s].abort) {
			vl_outbox_abort(box->outbox);
			if (done != NULL)
				done(s);
			continue;
		}
		if (*err == VL_OK)
			*err = vl_outbox_submit(box->outbox, NULL);
		if (*err == VL_ERR_OUTCOME_UNKNOWN)
			hear_all(box, s, mine,
				 true); /* where no thread can be had it is a plain commit */
		if (*err != VL_OK)
			return s;
		flying = s;
	}
	*err = flying < BOX_STEPS ? land(box, flying, &answers[flying % 2], done) : VL_OK;
	return *err == VL_OK ? BOX_STEPS : flying;
}

/* -- asking for it -- */

static bool read_all(struct box *box, struct audit *audit)
{
	struct vl_why why = {0};
	struct vl_outbox_look *look = vl_outbox_look(box->outbox, &why);
	struct vl_outbox_batch batch = {0};
	bool good = look != NULL || box_wrong(box, "cannot look: %s", why.text);

	while (good && vl_outbox_each(look, &batch)) {
		good = vl_outbox_intact(&batch) || box_wrong(box, "a batch is damaged");
		good = good && (audit_batch(audit, batch.value.data, batch.value.size,
					    batch.signature.bytes) ||
				box_wrong(box, "%s", audit->wrong));
	}
	if (good && vl_outbox_look_err(look) != VL_OK)
		good = box_wrong(box, "looking: %s", vl_err_text(vl_outbox_look_err(look)));
	for (size_t i = 0; good && i < audit->n_chains; i++) {
		struct vl_epoch epoch;
		struct vl_seq seq;
		vl_outbox_head(look, audit->chains[i].lane, &epoch, &seq, NULL);
		if (epoch.n != audit->chains[i].epoch || seq.n != audit->chains[i].seq)
			good = box_wrong(box, "the head of %s is not its last batch",
					 audit->chains[i].lane);
	}
	vl_outbox_look_end(look);
	return good;
}

static bool is_as_promised(struct box *box, const struct box_promise *promise,
			   const struct audit_event *event)
{
	if (strcmp(event->lane, promise->lane) != 0 || event->epoch != promise->epoch ||
	    event->number != promise->number)
		return box_wrong(
			box, "an event of step %u was promised as %s %llu/%llu and is %s %llu/%llu",
			promise->step, promise->lane, (unsigned long long)promise->epoch,
			(unsigned long long)promise->number, event->lane,
			(unsigned long long)event->epoch, (unsigned long long)event->number);
	return memcmp(event->digest, promise->digest, 16) == 0 ||
	       box_wrong(box, "an event of step %u has other bytes than were given", promise->step);
}

/* Wholly or not at all, and wholly where it was promised. */
static bool check_promises(struct box *box, unsigned kept, const struct audit *audit)
{
	unsigned there[BOX_STEPS + 1] = {0}, missing[BOX_STEPS + 1] = {0}, times;

	for (size_t i = 0; i < box->n_promises; i++) {
		const struct box_promise *promise = &box->promises[i];
		const struct audit_event *event = audit_find(audit, promise->id, &times);
		if (times > 1)
			return box_wrong(box, "an event of step %u is there %u times",
					 promise->step, times);
		if (event != NULL && !is_as_promised(box, promise, event))
			return false;
		if (event == NULL && promise->step < kept && !promise->doubtful)
			return box_wrong(box, "an event of step %u was promised and is not there",
					 promise->step);
		if (event != NULL && promise->step > kept)
			return box_wrong(box, "an event of step %u is there before it was sent",
					 promise->step);
		/* Doubtful ones are told apart from others of their step that were settled
		 * before. */
		if (promise->doubtful || promise->step == kept) {
			there[promise->step] += event != NULL;
			missing[promise->step] += event == NULL;
		}
	}
	for (unsigned s = 0; s < BOX_STEPS; s++)
		if (there[s] > 0 && missing[s] > 0)
			return box_wrong(box, "half of step %u is there", s);
	for (size_t i = 0; i < audit->n_events; i++)
		if (find_promise(box, audit->events[i].id) == NULL)
			return box_wrong(box, "an event is there that nobody was told of");
	return true;
}

/* Only what is there counts as said from here on. */
static void forget_absent(struct box *box, const struct audit *audit)
{
	size_t kept = 0;
	unsigned times;

	for (size_t i = 0; i < box->n_promises; i++) {
		(void)audit_find(audit, box->promises[i].id, &times);
		if (times > 0)
			box->promises[kept++] = box->promises[i];
	}
	box->n_promises = kept;
}

/* Every event of the scenario that has an id, and a new one for each lane. */
static bool send_again(struct box *box)
{
	static const char *const types[] = {CASE_TYPE, FLASH_TYPE, ALERT_TYPE};
	struct vl_why why = {0};
	struct vl_accepted accepted;
	struct vl_buf event = {0};
	enum vl_err err = vl_outbox_begin(box->outbox, &why);

	for (unsigned s = 0; err == VL_OK && s < BOX_STEPS; s++)
		for (unsigned i = 0; err == VL_OK && used(s, i); i++) {
			if (steps[s].events[i].id == 0 || steps[s].abort)
				continue;
			err = vl_outbox_accept(box->outbox, vl_buf_bytes(&box->events[s][i]),
					       &accepted, &why);
			if (err == VL_OK)
				hear(box, s, &box->events[s][i], &accepted, false);
		}
	for (unsigned i = 0; err == VL_OK && i < 3; i++) {
		struct vl_bytes bytes = world_event(&event, 900 + i, types[i], i);
		err = vl_outbox_accept(box->outbox, bytes, &accepted, &why);
		if (err == VL_OK)
			hear(box, BOX_STEPS, &event, &accepted, false);
	}
	vl_buf_free(&event);
	if (err == VL_OK)
		err = vl_outbox_commit(box->outbox, &why);
	return err == VL_OK || box_wrong(box, "goes no further: %s", vl_why_text(&why, err));
}

/* Everything is there once, nothing twice, and the chain goes on without a hole. */
static bool extend_store(struct box *box, const struct audit *before)
{
	struct audit audit = {.mission = BOX_MISSION};
	struct box_promise *said = malloc(sizeof(box->promises));
	size_t n_said = box->n_promises;

	if (said == NULL)
		abort();
	memcpy(said, box->promises, sizeof(box->promises));
	memcpy(audit.key, vl_signer_public(box->signer)->bytes, 32);
	if (before != NULL)
		forget_absent(box, before);
	bool good = send_again(box) && box->wrong[0] == '\0';
	box_close(box);
	struct vl_why why = {0};
	enum vl_err err = good ? open_box(box, &why) : VL_OK;
	if (err != VL_OK)
		good = box_wrong(box, "does not open after going further: %s",
				 vl_why_text(&why, err));
	good = good && read_all(box, &audit) && check_promises(box, BOX_STEPS + 1, &audit);
	memcpy(box->promises, said, sizeof(box->promises));
	box->n_promises = n_said;
	free(said);
	audit_free(&audit);
	return good;
}

bool box_extend(struct box *box)
{
	bool good = extend_store(box, NULL);

	box_close(box);
	return good;
}

bool box_check(struct box *box, unsigned kept, bool extend)
{
	struct audit audit = {.mission = BOX_MISSION};
	enum vl_err err = box_open(box);
	bool good = err == VL_OK || box_wrong(box, "does not open: %s", vl_err_text(err));

	memcpy(audit.key, vl_signer_public(box->signer)->bytes, 32);
	good = good && read_all(box, &audit) && check_promises(box, kept, &audit);
	for (size_t i = 0; good && i < box->n_batches; i++)
		if (box->batches[i].step < kept && !shown(box, &box->batches[i]))
			good = box_wrong(
				box,
				"a batch that may have been sent is another now, or gone: a fork");
	good = good && (!extend || extend_store(box, &audit));
	audit_free(&audit);
	box_close(box);
	return good;
}

void box_settle(struct box *box)
{
	size_t kept = 0;
	struct audit audit = {.mission = BOX_MISSION};
	unsigned times;

	memcpy(audit.key, vl_signer_public(box->signer)->bytes, 32);
	if (box_open(box) != VL_OK || !read_all(box, &audit))
		(void)box_wrong(box, "does not open to settle doubts");
	for (size_t i = 0; i < box->n_promises; i++) {
		(void)audit_find(&audit, box->promises[i].id, &times);
		if (!box->promises[i].doubtful || times > 0) {
			box->promises[kept] = box->promises[i];
			box->promises[kept++].doubtful = false;
		}
	}
	box->n_promises = kept;
	audit_free(&audit);
	box_close(box);
}
