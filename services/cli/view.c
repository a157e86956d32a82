#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "bus/json.h"
#include "cli/scan.h"
#include "cli/table.h"
#include "cli/views.h"
#include "hq/fold/digest.h"
#include "hq/fold/renewal.h"
#include "hq/fold/todo.h"
#include "hq/repair/beside.h"
#include "hq/repair/check.h"
#include "hq/repair/rebuild.h"
#include "hq/repair/open.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

/* A view that is damaged has none, and says so; the others have theirs. */
static enum vl_err print_digest(struct cli_views *views, size_t view, struct vl_buf *out,
				size_t *damaged, struct vl_why *why)
{
	char text[2 * sizeof(struct vl_digest) + 1];
	struct vl_digest digest;

	enum vl_err err = vl_view_digest(views->txn, view, &digest);
	if (err == VL_OK) {
		vl_buf_printf(out, "%s  %s\n", vl_hex(digest.bytes, sizeof(digest.bytes), text),
			      vl_views[view]->lane);
		return err;
	}
	(void)vl_txn_explain(views->txn, why);
	if (err != VL_ERR_CORRUPT)
		return err;
	++*damaged;
	vl_buf_printf(out, "damaged  %s\n", vl_views[view]->lane);
	/* The transaction has failed with it. */
	vl_txn_abort(views->txn);
	views->txn = vl_txn_begin(views->store, false, why);
	return views->txn != NULL ? VL_OK : VL_ERR_NOMEM;
}

static enum vl_err no_view(const char *lane, struct vl_why *why)
{
	const char *lanes[32];
	size_t n = 0;

	while (vl_views[n] != NULL && n < 32) {
		lanes[n] = vl_views[n]->lane;
		n++;
	}
	const char *near = cli_nearest(lane, lanes, n);
	return near != NULL ? vl_fail(why, VL_ERR_NOT_FOUND,
				      "no view of lane '%.64s'; did you mean '%s'?", lane, near)
			    : vl_fail(why, VL_ERR_NOT_FOUND, "no view of lane '%.64s'", lane);
}

static enum vl_err print_digests(const struct cli_options *options, struct cli_views *views,
				 struct vl_buf *out, size_t *damaged, struct vl_why *why)
{
	enum vl_err err = VL_OK;

	for (size_t i = 0; options->n_args == 0 && vl_views[i] != NULL && err == VL_OK; i++)
		err = print_digest(views, i, out, damaged, why);
	for (size_t i = 0; i < options->n_args && err == VL_OK; i++) {
		int view = vl_view_of_lane(options->args[i], strlen(options->args[i]));
		err = view >= 0 ? print_digest(views, (size_t)view, out, damaged, why)
				: no_view(options->args[i], why);
	}
	return err;
}

#define WAIT_MS 200
#define WAITS 50

static uint64_t left_in_all(struct vl_txn *txn)
{
	uint64_t left = 0;

	for (size_t i = 0; vl_views[i] != NULL; i++)
		left += vl_todo_left_of(txn, i) + vl_renewal_left_of(txn, i);
	return left;
}

/* A digest says something only of rows that are whole: wait a while for those that are still to
 * be folded. */
static enum vl_err wait_until_folded(struct vl_txn *txn, struct vl_why *why)
{
	uint64_t left = left_in_all(txn);
	enum vl_err err = VL_OK;

	for (unsigned i = 0; left > 0 && i < WAITS && err == VL_OK; i++) {
		vl_txn_rest(txn);
		(void)poll(NULL, 0, WAIT_MS);
		err = vl_txn_refresh(txn);
		left = err == VL_OK ? left_in_all(txn) : 0;
	}
	for (size_t i = 0; err == VL_OK && vl_views[i] != NULL; i++)
		if (vl_renewal_left_of(txn, i) > 0)
			return vl_fail(why, VL_ERR_BUSY,
				       "%s is rebuilding, step %d of %d ('valise view ls'); "
				       "ask again when valise-hq has done that",
				       vl_views[i]->lane, (int)vl_renewal_phase_of(txn, i),
				       (int)VL_RENEWAL_FIX);
	if (err == VL_OK && left > 0)
		return vl_fail(why, VL_ERR_BUSY,
			       "%llu rows and batches are still to be folded; ask again when "
			       "valise-hq has done that",
			       (unsigned long long)left);
	return err;
}

static int digest(const struct cli_options *options)
{
	struct cli_views views = {0};
	struct vl_why why = {0};
	struct vl_buf out = {0};
	size_t damaged = 0;

	enum vl_err err = cli_views_open(options, &views, &why);
	if (err == VL_OK)
		err = wait_until_folded(views.txn, &why);
	if (err == VL_OK)
		err = print_digests(options, &views, &out, &damaged, &why);
	cli_views_close(&views);
	int code = err == VL_OK
			   ? CLI_OK
			   : cli_cannot("digest", options->views != NULL ? options->views : "views",
					&why, err);
	if (err == VL_OK)
		cli_views_print(&out);
	if (err == VL_OK && damaged > 0)
		code = cli_views_damaged("views", damaged);
	vl_buf_free(&out);
	return code;
}

/* -- ls -- */

static void list_one(struct vl_txn *txn, size_t view, struct cli_table *table, struct vl_buf *out)
{
	unsigned long long rows = vl_txn_count(txn, vl_view_db(view, VL_VIEW_ROW)),
			   left = vl_todo_left_of(txn, view);
	int step = (int)vl_renewal_phase_of(txn, view);

	if (table == NULL) {
		vl_buf_printf(out, "{\"lane\":\"%s\",\"rows\":%llu,\"toBeFolded\":%llu",
			      vl_views[view]->lane, rows, left);
		if (step != VL_RENEWAL_NONE)
			vl_buf_printf(out, ",\"rebuilding\":\"%d/%d\"", step, (int)VL_RENEWAL_FIX);
		vl_buf_put_text(out, "}\n");
		return;
	}
	cli_table_put(table, vl_views[view]->lane);
	cli_table_printf(table, "%llu", rows);
	cli_table_printf(table, "%llu", left);
	if (step != VL_RENEWAL_NONE)
		cli_table_printf(table, "rebuilding, step %d of %d", step, (int)VL_RENEWAL_FIX);
	else
		cli_table_put(table, left > 0 ? "folding" : "whole");
}

static int list(const struct cli_options *options)
{
	static const char *const titles[] = {"LANE", "ROWS", "TO BE FOLDED", "STATE"};
	struct cli_views views = {0};
	struct vl_why why = {0};
	struct vl_buf out = {0};
	struct cli_table *table =
		options->json ? NULL : cli_table_open(titles, sizeof(titles) / sizeof(titles[0]));
	enum vl_err err = options->json || table != NULL ? cli_views_open(options, &views, &why)
							 : VL_ERR_NOMEM;

	for (size_t i = 0; err == VL_OK && vl_views[i] != NULL; i++) {
		list_one(views.txn, i, table, &out);
		err = vl_txn_err(views.txn);
	}
	if (err == VL_OK && table != NULL)
		cli_table_print(table, cli_bold(), &out);
	cli_views_close(&views);
	int code = err == VL_OK
			   ? CLI_OK
			   : cli_cannot("list", options->views != NULL ? options->views : "views",
					&why, err);
	if (err == VL_OK)
		cli_views_print(&out);
	vl_buf_free(&out);
	cli_table_close(table);
	return code;
}

/* -- check -- */

struct findings {
	struct cli_table *table; /* NULL for JSON */
	struct vl_buf out, key;
	size_t n;
};

/* Keys are texts and numbers, and never personal: the texts as they are, all else in
 * hexadecimal. */
static void print_key(struct vl_bytes key, struct vl_buf *out)
{
	vl_buf_reset(out);
	for (size_t i = 0; i < key.size; i++)
		if (key.data[i] > ' ' && key.data[i] < 0x7f && key.data[i] != '\\')
			vl_buf_put_byte(out, key.data[i]);
		else
			vl_buf_printf(out, "\\%02x", key.data[i]);
}

static void take_damage(void *context, const struct vl_damage *damage)
{
	struct findings *f = context;
	const char *what = damage->event ? "its event in the archive is damaged" : "damaged";

	f->n++;
	print_key(damage->key, &f->key);
	if (f->table != NULL) {
		cli_table_put(f->table, damage->db);
		cli_table_put_bytes(f->table, vl_buf_bytes(&f->key));
		cli_table_put(f->table, what);
		return;
	}
	vl_buf_printf(&f->out, "{\"db\":\"%s\",\"key\":", damage->db);
	vl_json_print_text(&f->out, (const char *)f->key.data, f->key.size);
	vl_buf_printf(&f->out, ",\"damaged\":\"%s\"}\n", damage->event ? "event" : "entry");
}

static int report(struct findings *f)
{
	if (f->n == 0) {
		vl_log_info("nothing is damaged");
		return CLI_OK;
	}
	if (f->table != NULL)
		cli_table_print(f->table, cli_bold(), &f->out);
	cli_views_print(&f->out);
	vl_log_error("%zu entries are damaged; a running valise-hq makes most of them again; "
		     "if that does not help, " VL_LEDGER_REBUILD,
		     f->n);
	return CLI_UNVERIFIED;
}

static int check(const struct cli_options *options)
{
	static const char *const titles[] = {"DATABASE", "KEY", "WHAT"};
	struct cli_views views = {0};
	struct vl_why why = {0};
	struct findings f = {.table = options->json ? NULL : cli_table_open(titles, 3)};
	enum vl_err err = options->json || f.table != NULL ? VL_OK : VL_ERR_NOMEM;

	if (err == VL_OK)
		err = cli_views_open(options, &views, &why);
	if (err == VL_OK)
		err = vl_ledger_check(views.txn, take_damage, &f);
	cli_views_close(&views);
	if (err == VL_OK && (vl_buf_failed(&f.out) || vl_buf_failed(&f.key)))
		err = VL_ERR_NOMEM;
	int code = err == VL_OK
			   ? report(&f)
			   : cli_cannot("check", options->views != NULL ? options->views : "views",
					&why, err);
	vl_buf_free(&f.out);
	vl_buf_free(&f.key);
	cli_table_close(f.table);
	return code;
}

/* -- rebuild -- */

#define PROGRESS_MS 1000

struct rebuilding {
	const char *lane;
	uint64_t of; /* batches in the archive, of all lanes */
	int64_t next_ms;
};

static void say_progress(void *context, const struct vl_rebuilt *so_far)
{
	struct rebuilding *r = context;

	if (vl_monotonic_ms() < r->next_ms)
		return;
	r->next_ms = vl_monotonic_ms() + PROGRESS_MS;
	vl_log_info("%s: %llu batches, %llu events; the archive has %llu batches in all", r->lane,
		    (unsigned long long)so_far->batches, (unsigned long long)so_far->events,
		    (unsigned long long)r->of);
}

static enum vl_err rebuild_view(struct vl_store *store, const struct vl_ring *ring, size_t view,
				struct vl_buf *out, struct vl_why *why)
{
	char text[2 * sizeof(struct vl_digest) + 1];
	struct rebuilding r = {.lane = vl_views[view]->lane,
			       .next_ms = vl_monotonic_ms() + PROGRESS_MS};
	struct vl_rebuilt rebuilt;
	struct vl_txn *txn = vl_txn_begin(store, false, why);

	if (txn == NULL)
		return VL_ERR_NOMEM;
	r.of = vl_txn_count(txn, VL_DB_ARCHIVE);
	vl_txn_abort(txn);
	enum vl_err err = vl_rebuild_lane(store, ring, view, say_progress, &r, &rebuilt, why);
	if (err != VL_OK)
		return err;
	bool same = vl_digest_equal(&rebuilt.before, &rebuilt.after);
	vl_buf_printf(out, "%s  %s  %llu batches, %llu events%s\n",
		      vl_hex(rebuilt.after.bytes, sizeof(rebuilt.after.bytes), text), r.lane,
		      (unsigned long long)rebuilt.batches, (unsigned long long)rebuilt.events,
		      same ? "" : ", another digest than before");
	if (rebuilt.unsigned_here > 0)
		vl_log_warning("%s: the keys of %llu batches are not known here; they were "
			       "accepted when they came",
			       r.lane, (unsigned long long)rebuilt.unsigned_here);
	return VL_OK;
}

static enum vl_err locked(struct vl_why *why)
{
	return vl_fail(
		why, VL_ERR_LOCKED,
		"valise-hq writes to them; stop it, rebuild, and start it again (readers go on)");
}

/* No other process may write meanwhile: the store's lock ensures that. The size of the map stays
 * as it is. */
static enum vl_err rebuild_all(const struct cli_options *options, struct vl_buf *out,
			       struct vl_why *why)
{
	struct cli_views views = {0};
	struct vl_store *store = NULL;
	struct vl_ring *ring = NULL;
	struct vl_why reason = {0};
	int only = -1;

	if (options->n_args > 0) {
		only = vl_view_of_lane(options->args[0], strlen(options->args[0]));
		if (only < 0)
			return no_view(options->args[0], why);
	}
	enum vl_err err = cli_views_open(options, &views, why);
	cli_views_close(&views);
	if (err == VL_OK && options->keys != NULL)
		err = cli_ring_open(options, &ring, why);
	if (err == VL_OK)
		err = vl_ledger_open(options->views, 0, false, &store, &reason);
	if (err == VL_ERR_LOCKED)
		err = locked(why);
	else if (err != VL_OK && reason.text[0] != '\0')
		*why = reason;
	for (size_t i = 0; err == VL_OK && vl_views[i] != NULL; i++)
		if (only < 0 || (size_t)only == i)
			err = rebuild_view(store, ring, i, out, why);
	vl_store_close(store);
	vl_ring_close(ring);
	return err;
}

static void say_events(void *context, uint64_t events)
{
	(void)context;
	vl_log_info("%llu events so far", (unsigned long long)events);
}

/* All lanes at once, as their offsets are one whole. */
static enum vl_err rebuild_beside(const struct cli_options *options, struct vl_buf *out,
				  struct vl_why *why)
{
	size_t damaged = 0;
	struct vl_beside beside = {.views = options->views,
				   .keys = options->keys,
				   .pairs = options->pairs,
				   .n_pairs = options->n_pairs,
				   .archive = strcmp(options->from, "both") == 0,
				   .progress = say_events};
	struct cli_views views = {0};

	if (options->n_args > 0)
		return vl_fail(why, VL_ERR_USAGE,
			       "from Kafka all lanes are rebuilt together; a lane alone is "
			       "rebuilt from the archive");
	if (options->keys == NULL)
		return vl_fail(why, VL_ERR_USAGE,
			       "no keys to verify with; give --keys DIR or set VALISE_KEYS");
	enum vl_err err = cli_views_open(options, &views, why);
	cli_views_close(&views);
	if (err == VL_OK)
		err = vl_rebuild_beside(&beside, why);
	if (err == VL_ERR_LOCKED)
		return locked(why);
	if (err == VL_OK)
		err = cli_views_open(options, &views, why);
	if (err == VL_OK)
		err = print_digests(&(struct cli_options){0}, &views, out, &damaged, why);
	cli_views_close(&views);
	return err;
}

static int rebuild(const struct cli_options *options)
{
	struct vl_why why = {0};
	struct vl_buf out = {0};
	const char *from = options->from != NULL ? options->from : "archive";
	enum vl_err err;

	if (strcmp(from, "archive") == 0)
		err = rebuild_all(options, &out, &why);
	else if (strcmp(from, "kafka") == 0 || strcmp(from, "both") == 0)
		err = rebuild_beside(options, &out, &why);
	else
		err = vl_fail(&why, VL_ERR_USAGE, "--from is archive, kafka or both");
	int code = err == VL_OK ? CLI_OK
				: cli_cannot("rebuild",
					     options->views != NULL ? options->views : "views",
					     &why, err);

	cli_views_print(&out);
	return code;
}

const struct cli_verb cli_view_verbs[] = {
	{
		.name = "digest",
		.args = "[LANE]...",
		.about = "Print the digest of each view: 64 hex digits and its lane. Two "
			 "headquarters that have applied the same batches, in any order, have "
			 "the same digests. So a view that was rebuilt from its first record "
			 "proves itself. If rows are still to be folded, the command waits for "
			 "them, ten seconds at most. Then it says how many are left, and exits "
			 "with 1.",
		.options = CLI_OPT_VIEWS,
		.max_args = 64,
		.run = digest,
	},
	{
		.name = "ls",
		.args = "",
		.about = "List the views: how many rows each has, and how many rows and "
			 "batches are still to be folded. One batch may need several "
			 "transactions. The rows are whole when nothing is left. A view whose "
			 "declaration has changed, or whose data is corrupted, is rebuilding "
			 "from the archive, beside all other work.",
		.options = CLI_OPT_VIEWS | CLI_OPT_OUTPUT,
		.run = list,
	},
	{
		.name = "check",
		.args = "",
		.about = "Check all data that headquarters keeps, and list corrupted entries. "
			 "Such an entry has a wrong checksum, or the archive no longer has its "
			 "event as it was signed. The exit code is 4 if there is any. This "
			 "works while valise-hq runs.",
		.options = CLI_OPT_VIEWS | CLI_OPT_OUTPUT,
		.run = check,
	},
	{
		.name = "explain",
		.args = "[LANE]",
		.about = "Print what the view of a lane, or of each lane, declares: which row "
			 "an event belongs to, and what it writes there. Then states, time "
			 "limits, rules with their words, and what rows add to others.",
		.options = 0,
		.max_args = 1,
		.run = cli_explain,
	},
	{
		.name = "rebuild",
		.args = "[LANE]",
		.about = "Make views anew, and print their digests. Stop valise-hq first, and "
			 "start it again afterwards. Until the new views are whole, readers "
			 "get the old ones, as they were when valise-hq stopped. If a rebuild "
			 "fails or dies, the old views stay as they are. Give the same command "
			 "again.\n\n"
			 "  --from archive  (the default) The view of LANE, or of each, from "
			 "the batches that headquarters has kept, without Kafka. Each batch is "
			 "checked first; with --keys its signature too. If one is damaged, the "
			 "command says which, and changes nothing.\n"
			 "  --from kafka    All lanes together, from the first record of each "
			 "topic. Needs --keys and -b. The new views grow in the folder "
			 "VIEWS.rebuild, and replace the old ones in one step. The old ones "
			 "are then in VIEWS.before. The disk needs room for both. A topic that "
			 "may not be read, or has no leader, is named and left out.\n"
			 "  --from both     The same, but with the batches of the archive "
			 "first. It recovers what Kafka has lost.\n\n"
			 "From Kafka, nothing is changed if the new views would lack a batch "
			 "that was applied. The command then names the missions, and exits "
			 "with 3. Progress goes to stderr, a line a second.",
		.options = CLI_OPT_VIEWS | CLI_OPT_KEYS | CLI_OPT_BROKERS | CLI_OPT_FROM,
		.max_args = 1,
		.run = rebuild,
	},
	{0},
};
