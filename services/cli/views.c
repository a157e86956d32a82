#include "cli/views.h"

#include "base/buf.h"
#include "base/log.h"
#include "bus/json.h"
#include "bus/wire.h"
#include "cli/table.h"
#include "hq/fold.h"
#include "hq/fold/bind.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum vl_err cli_views_open(const struct cli_options *options, struct cli_views *views, struct vl_why *why)
{
	*views = (struct cli_views){0};
	if (options->views == NULL)
		return vl_fail(why, VL_ERR_USAGE,
			       "no views; give --views DIR (valise-hq's folder) or set VALISE_VIEWS");
	struct vl_why reason = {0};
	enum vl_err err = vl_ledger_open(options->views, 0, true, &views->store, &reason);
	if (err != VL_OK)
		return vl_fail(why, err, "views in '%.100s': %s", options->views, vl_why_text(&reason, err));
	views->txn = vl_txn_begin(views->store, false, why);
	return views->txn != NULL ? VL_OK : VL_ERR_NOMEM;
}

void cli_views_close(struct cli_views *views)
{
	if (views->txn != NULL)
		vl_txn_abort(views->txn);
	vl_store_close(views->store);
	*views = (struct cli_views){0};
}

enum vl_err cli_views_kind(const struct vl_view *view, const char *name, unsigned *kind, struct vl_why *why)
{
	struct vl_buf names = {0};
	int found = name != NULL ? vl_view_kind(view, name) : (int)view->shown;

	if (found >= 0) {
		*kind = (unsigned)found;
		return VL_OK;
	}
	for (unsigned i = 0; i < view->n_kinds; i++)
		vl_buf_printf(&names, "%s%s", i > 0 ? ", " : "", view->kinds[i].name);
	enum vl_err err = vl_fail(why, VL_ERR_NOT_FOUND, "no such kind; there are %s", vl_buf_text(&names));
	vl_buf_free(&names);
	return err;
}

void cli_views_print(struct vl_buf *out)
{
	cli_write(out->data, out->size);
	(void)cli_flush();
	vl_buf_free(out);
}

int cli_views_damaged(const char *what, size_t count)
{
	vl_log_error("%zu %s are damaged in the views, and left out; 'valise view check' lists all that is", count,
		     what);
	return CLI_UNVERIFIED;
}

/* -- ls -- */

struct listing {
	const struct cli_options *options;
	const struct vl_view *view;
	size_t index; /* of the view */
	unsigned kind;
	struct vl_bound *bound;
	struct vl_time now;
	struct cli_table *table; /* NULL for JSON */
	struct vl_buf out, cell;
	struct vl_arena *arena;
	size_t damaged;
};

static void put_row(struct listing *l, const char *key, const ProtobufCMessage *row)
{
	const struct vl_column *columns = l->view->kinds[l->kind].columns;

	for (size_t c = 0; columns[c].title != NULL; c++) {
		vl_buf_reset(&l->cell);
		vl_bound_cell(l->bound, l->kind, c, key, row, l->now, &l->cell);
		cli_table_put_bytes(l->table, vl_buf_bytes(&l->cell));
	}
}

static void put_row_json(struct listing *l, const char *key, const ProtobufCMessage *row)
{
	vl_buf_put_text(&l->out, "{\"key\":");
	vl_json_print_text(&l->out, key, strlen(key));
	vl_buf_printf(&l->out, ",\"kind\":\"%s\",\"row\":", l->view->kinds[l->kind].name);
	vl_json_print(row, &l->out);
	vl_buf_put_text(&l->out, "}\n");
}

static enum vl_err list_rows(struct listing *l, struct vl_txn *txn, struct vl_why *why)
{
	const struct vl_kind *kind = &l->view->kinds[l->kind];
	struct vl_cursor *cursor = vl_cursor_open(txn, vl_view_db(l->index, VL_VIEW_ROW));
	struct vl_bytes key, value;
	struct vl_key prefix;
	uint64_t n = 0;

	vl_row_key(&prefix, l->kind, "");
	struct vl_bytes from = vl_key_done(&prefix);
	vl_cursor_pass_over(cursor, from, vl_cursor_count, &l->damaged);
	for (bool more = vl_cursor_seek(cursor, from, &key, &value); more && vl_key_has_prefix(key, from);
	     more = vl_cursor_next(cursor, &key, &value)) {
		vl_arena_reset(l->arena);
		const char *entity = vl_arena_text(l->arena, key.data + from.size, key.size - from.size);
		const ProtobufCMessage *row = vl_wire_unpack(kind->row, value, l->arena);
		if (entity == NULL || row == NULL) {
			vl_txn_fail(txn, VL_ERR_NOMEM);
			break;
		}
		if (!l->options->all && !vl_bound_listed(l->bound, l->kind, entity, row, l->now))
			continue;
		if (l->table != NULL)
			put_row(l, entity, row);
		else
			put_row_json(l, entity, row);
		cli_progress("%" PRIu64 " rows", ++n);
	}
	vl_cursor_close(cursor);
	return vl_txn_err(txn) == VL_OK ? VL_OK : vl_txn_explain(txn, why);
}

/* Rows are kept as they are now. Of an hour that has passed only those can be shown that say of
 * themselves when they hold. */
static enum vl_err check_hour(const struct listing *l, struct vl_why *why)
{
	struct vl_time now = vl_clock_now(&vl_clock_system);
	struct vl_buf names = {0};

	if (!l->options->at.given || vl_time_compare(l->options->at.time, now) >= 0)
		return VL_OK;
	const struct vl_view *view = l->view;
	if (view->kinds[l->kind].dated) {
		vl_log_info("what depends on the hour is as of --at; all else is as headquarters knows it now");
		return VL_OK;
	}
	for (unsigned i = 0; i < view->n_kinds; i++)
		if (view->kinds[i].dated)
			vl_buf_printf(&names, "%s %s", names.size > 0 ? "," : "; it can for", view->kinds[i].name);
	enum vl_err err = vl_fail(why, VL_ERR_USAGE,
				  "--at: a row of kind '%s' is kept as it is now, and cannot be shown as it "
				  "was%s",
				  view->kinds[l->kind].name, vl_buf_text(&names));
	vl_buf_free(&names);
	return err;
}

enum vl_err cli_views_bind(const struct vl_view *view, struct vl_bound **bound, struct vl_why *why)
{
	struct vl_buf wrong = {0};
	enum vl_err err = VL_OK;

	*bound = vl_view_bind(view, &wrong);
	if (*bound == NULL)
		err = wrong.size > 0 ? vl_fail(why, VL_ERR_BUG, "the view is declared wrongly: %s", vl_buf_text(&wrong))
				     : VL_ERR_NOMEM;
	vl_buf_free(&wrong);
	return err;
}

static enum vl_err open_listing(struct listing *l, struct vl_why *why)
{
	const char *titles[CLI_COLUMNS];
	size_t n = 0;

	enum vl_err err = cli_views_kind(l->view, l->options->n_args > 0 ? l->options->args[0] : NULL, &l->kind, why);
	if (err == VL_OK)
		err = cli_views_bind(l->view, &l->bound, why);
	if (err == VL_OK)
		err = check_hour(l, why);
	if (err != VL_OK)
		return err;
	l->arena = vl_arena_open(0);
	const struct vl_column *columns = l->view->kinds[l->kind].columns;
	while (columns[n].title != NULL && n < CLI_COLUMNS) {
		titles[n] = columns[n].title;
		n++;
	}
	if (!l->options->json)
		l->table = cli_table_open(titles, n);
	return l->arena == NULL || (l->table == NULL && !l->options->json) ? VL_ERR_NOMEM : VL_OK;
}

static int ls(const struct cli_options *options)
{
	struct listing l = {.options = options,
			    .now = options->at.given ? options->at.time : vl_clock_now(&vl_clock_system)};
	struct cli_views views = {0};
	struct vl_why why = {0};

	l.index = (size_t)vl_view_of_noun(options->command);
	l.view = vl_views[l.index];
	enum vl_err err = open_listing(&l, &why);
	if (err == VL_OK)
		err = cli_views_open(options, &views, &why);
	if (err == VL_OK)
		err = list_rows(&l, views.txn, &why);
	cli_views_close(&views);
	cli_progress_end();
	if (err == VL_OK && l.table != NULL)
		cli_table_print(l.table, cli_bold(), &l.out);
	if (err == VL_OK && (vl_buf_failed(&l.out) || (l.table != NULL && !cli_table_whole(l.table))))
		err = VL_ERR_NOMEM;
	int code = err == VL_OK ? CLI_OK : cli_cannot("list", options->command, &why, err);
	if (err == VL_OK)
		cli_views_print(&l.out);
	if (err == VL_OK && l.damaged > 0)
		code = cli_views_damaged("rows", l.damaged);
	vl_buf_free(&l.out);
	vl_buf_free(&l.cell);
	cli_table_close(l.table);
	vl_view_unbind(l.bound);
	vl_arena_close(l.arena);
	return code;
}

const struct cli_verb cli_noun_verbs[] = {
	{
		.name = "ls",
		.args = "[KIND]",
		.about = "List the rows of headquarters' view. A view has kinds of row (an evacuation: crisis, "
			 "operation,\n"
			 "leg, person ...); one is taken where none is named. What is over and done is left out, "
			 "unless\n"
			 "--all. -o json gives {\"key\",\"kind\",\"row\"}, one row a line.",
		.options = CLI_OPT_VIEWS | CLI_OPT_OUTPUT | CLI_OPT_ALL | CLI_OPT_AT,
		.max_args = 1,
		.run = ls,
	},
	{
		.name = "show",
		.args = "KEY",
		.about = "Show one row whole, what the facts in it break (its violations), and every signed event "
			 "behind\n"
			 "it. -o json gives {\"key\",\"kind\",\"lane\",\"row\",\"history\"}, the events whole.\n"
			 "Without --kind the key is looked for in every kind, the one that ls lists first.",
		.options = CLI_OPT_VIEWS | CLI_OPT_OUTPUT | CLI_OPT_KIND,
		.min_args = 1,
		.max_args = 1,
		.run = cli_show,
	},
	{0},
};
