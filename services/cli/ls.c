/*
 * `valise NOUN ls`: the rows of a kind by condition and in order.
 */
#include "ask/where.h"
#include "base/buf.h"
#include "base/log.h"
#include "bus/json.h"
#include "bus/wire.h"
#include "cli/answer.h"
#include "cli/table.h"
#include "cli/views.h"
#include "hq/fold/bind.h"
#include "hq/fold/fold.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Of one moment: a board of so many rows is. */
#define LOOK_ROWS 5000
#define LOOK_BYTES ((size_t)4 << 20)

/* A row that is to be listed: what it is sorted by, and where its cells (or its JSON) stand. */
struct found {
	const struct vl_ask_value *keys;
	size_t at, end, n;
};

struct listing {
	const struct cli_options *options;
	const struct cli_views *views;
	size_t index; /* of the view */
	unsigned kind;
	struct vl_time now;
	struct vl_ask_tables *tables;
	struct vl_bound *bound;
	struct vl_ask_kind of;
	struct vl_ask_condition *where[CLI_LIST];
	struct vl_ask_order orders[CLI_LIST];
	size_t n_orders;
	struct vl_ask_term *columns;
	const char **titles;
	size_t n_columns;
	bool whole; /* JSON of whole rows */
	struct found *found;
	size_t n_found, room;
	uint64_t hidden; /* rows that fit, but are over and done */
	struct vl_buf cells, text;
	struct vl_arena *arena, *kept; /* of one row, of all */
	size_t damaged;
};

static const struct vl_kind *kind_of(const struct listing *l)
{
	return &vl_views[l->index]->kinds[l->kind];
}

/* -- what is asked -- */

/* Rows are kept as they are now. Of an hour that has passed only those can be shown that say of
 * themselves when they hold. */
static enum vl_err check_hour(const struct listing *l, struct vl_why *why)
{
	struct vl_time now = vl_clock_now(&vl_clock_system);
	struct vl_buf names = {0};

	if (!l->options->at.given || vl_time_compare(l->options->at.time, now) >= 0)
		return VL_OK;
	const struct vl_view *view = vl_views[l->index];
	if (view->kinds[l->kind].dated) {
		vl_log_info("values that depend on the time are as of --at; all others are as "
			    "headquarters knows them now");
		return VL_OK;
	}
	for (unsigned i = 0; i < view->n_kinds; i++)
		if (view->kinds[i].dated)
			vl_buf_printf(&names, "%s %s", names.size > 0 ? "," : "; it can for",
				      view->kinds[i].name);
	enum vl_err err =
		vl_fail(why, VL_ERR_USAGE,
			"--at: a row of kind '%s' is kept as it is now, and cannot be shown as "
			"it was%s",
			view->kinds[l->kind].name, vl_buf_text(&names));
	vl_buf_free(&names);
	return err;
}

static enum vl_err add_column(struct listing *l, const char *name, size_t length,
			      struct vl_why *why)
{
	const char *written = vl_arena_text(l->kept, name, length);

	if (written == NULL)
		return VL_ERR_NOMEM;
	if (l->n_columns == CLI_COLUMNS)
		return vl_fail(why, VL_ERR_USAGE, "more than %d columns", CLI_COLUMNS);
	l->titles[l->n_columns] = written;
	return vl_ask_term_find(&l->of, written, &l->columns[l->n_columns++], why);
}

/* The columns that are named, or those of the view. */
static enum vl_err take_columns(struct listing *l, struct vl_why *why)
{
	const struct vl_column *columns = kind_of(l)->columns;
	const char *names = l->options->columns;
	enum vl_err err = VL_OK;

	l->whole = names == NULL && l->options->json;
	for (size_t i = 0; names == NULL && columns[i].title != NULL && err == VL_OK; i++)
		err = add_column(l, columns[i].title, strlen(columns[i].title), why);
	for (bool more = names != NULL; more && err == VL_OK;) {
		size_t length = strcspn(names, ",");
		err = add_column(l, names, length, why);
		more = names[length] != '\0';
		names += length + more;
	}
	return err;
}

static enum vl_err take_conditions(struct listing *l, struct vl_why *why)
{
	const struct cli_options *o = l->options;
	enum vl_err err = VL_OK;

	for (size_t i = 0; i < o->where.n && err == VL_OK; i++)
		err = vl_ask_condition_parse(&l->of, o->where.items[i], l->now, l->kept,
					     &l->where[i], why);
	for (size_t i = 0; i < o->sort.n && err == VL_OK; i++)
		err = vl_ask_order_parse(&l->of, o->sort.items[i], &l->orders[l->n_orders++], why);
	if (o->sort.n == 0)
		l->n_orders = vl_ask_urgency(&l->of, l->orders);
	return err;
}

static enum vl_err open_listing(struct listing *l, struct vl_why *why)
{
	const char *kind = l->options->n_args > 0 ? l->options->args[0] : NULL;

	enum vl_err err = cli_views_kind(vl_views[l->index], kind, &l->kind, why);
	if (err == VL_OK)
		err = check_hour(l, why);
	if (err == VL_OK)
		err = vl_view_bind_one(vl_views[l->index], &l->bound, why);
	if (err != VL_OK)
		return err;
	l->arena = vl_arena_open(0);
	l->kept = vl_arena_open(0);
	l->tables = vl_ask_tables_open();
	l->columns = calloc(CLI_COLUMNS, sizeof(*l->columns));
	l->titles = calloc(CLI_COLUMNS, sizeof(*l->titles));
	if (l->arena == NULL || l->kept == NULL || l->tables == NULL || l->columns == NULL ||
	    l->titles == NULL)
		return VL_ERR_NOMEM;
	l->of = (struct vl_ask_kind){l->tables, l->bound, l->index, l->kind};
	err = take_columns(l, why);
	if (err == VL_OK)
		err = take_conditions(l, why);
	/* Fields and values are words of the line: a wrong one is wrong usage. */
	return err == VL_ERR_NOT_FOUND || err == VL_ERR_INVALID ? VL_ERR_USAGE : err;
}

static void close_listing(struct listing *l)
{
	vl_buf_free(&l->cells);
	vl_buf_free(&l->text);
	vl_arena_close(l->arena);
	vl_arena_close(l->kept);
	vl_ask_tables_close(l->tables);
	vl_view_unbind(l->bound);
	free(l->columns);
	free(l->titles);
	free(l->found);
}

/* -- the rows -- */

static bool fits(struct listing *l, const struct vl_ask_row *row)
{
	for (size_t i = 0; i < l->options->where.n; i++)
		if (!vl_ask_fits(l->where[i], row, &l->text))
			return false;
	return true;
}

static void put_whole(struct listing *l, const struct vl_ask_row *row)
{
	vl_buf_put_text(&l->cells, "{\"key\":");
	vl_json_print_text(&l->cells, row->key, strlen(row->key));
	vl_buf_printf(&l->cells, ",\"kind\":\"%s\"", kind_of(l)->name);
	cli_views_put_json(l->views, &l->cells);
	vl_buf_put_text(&l->cells, ",\"row\":");
	vl_json_print(row->message, &l->cells);
	vl_buf_put_text(&l->cells, "}\n");
}

/* Each cell with its size before it. */
static void put_cells(struct listing *l, const struct vl_ask_row *row)
{
	for (size_t i = 0; i < l->n_columns; i++) {
		vl_buf_reset(&l->text);
		vl_ask_term_print(&l->columns[i], row, &l->text);
		vl_buf_put(&l->cells, &l->text.size, sizeof(l->text.size));
		vl_buf_put(&l->cells, l->text.data, l->text.size);
	}
}

static enum vl_err keep_row(struct listing *l, const struct vl_ask_row *row)
{
	if (l->n_found == l->room) {
		size_t room = l->room > 0 ? 2 * l->room : 256;
		struct found *found = realloc(l->found, room * sizeof(*found));
		if (found == NULL)
			return VL_ERR_NOMEM;
		l->found = found;
		l->room = room;
	}
	struct found *f = &l->found[l->n_found];
	*f = (struct found){.at = l->cells.size, .n = l->n_found};
	l->n_found++;
	f->keys = vl_ask_sort_keys(l->orders, l->n_orders, row, l->kept, &l->text);
	if (l->whole)
		put_whole(l, row);
	else
		put_cells(l, row);
	f->end = l->cells.size;
	return f->keys != NULL && !vl_buf_failed(&l->cells) && !vl_buf_failed(&l->text)
		       ? VL_OK
		       : VL_ERR_NOMEM;
}

static enum vl_err look_at(struct listing *l, struct vl_bytes key, struct vl_bytes value)
{
	struct vl_ask_row row = {.now = l->now};

	vl_arena_reset(l->arena);
	row.key = vl_arena_text(l->arena, key.data, key.size);
	row.message = vl_wire_unpack(kind_of(l)->row, value, l->arena);
	if (row.key == NULL || vl_arena_failed(l->arena))
		return VL_ERR_NOMEM;
	if (row.message == NULL) {
		l->damaged++;
		return VL_OK;
	}
	if (!fits(l, &row))
		return VL_OK;
	if (!l->options->all && !vl_bound_listed(l->bound, l->kind, row.key, row.message, l->now)) {
		l->hidden++;
		return VL_OK;
	}
	return keep_row(l, &row);
}

/* Some rows from `at` on, which moves on, under one snapshot. *more says whether there are
 * others. */
static enum vl_err list_some(struct listing *l, struct vl_txn *txn, struct vl_key *at, bool *more)
{
	struct vl_cursor *cursor = vl_cursor_open(txn, vl_view_db(l->index, VL_VIEW_ROW));
	struct vl_bytes key, value;
	struct vl_key prefix;
	size_t rows = 0, bytes = 0;
	enum vl_err err = VL_OK;

	vl_row_key(&prefix, l->kind, "");
	struct vl_bytes from = vl_key_done(&prefix);
	vl_cursor_pass_over(cursor, from, vl_cursor_count, &l->damaged);
	*more = vl_cursor_seek(cursor, vl_key_done(at), &key, &value) &&
		vl_key_has_prefix(key, from);
	while (*more && err == VL_OK && rows++ < LOOK_ROWS && bytes < LOOK_BYTES) {
		bytes += value.size;
		err = look_at(l, (struct vl_bytes){key.data + from.size, key.size - from.size},
			      value);
		*more = vl_cursor_next(cursor, &key, &value) && vl_key_has_prefix(key, from);
	}
	vl_key_reset(at);
	if (*more)
		vl_key_bytes(at, key.data, key.size);
	vl_cursor_close(cursor);
	return err == VL_OK ? vl_txn_err(txn) : err;
}

/* Between two looks nothing is held, so that a person who stops this keeps nothing from use. */
static enum vl_err list_rows(struct listing *l, struct vl_txn *txn, struct vl_why *why)
{
	struct vl_key at;
	sigset_t before;
	bool more = true;
	enum vl_err err = VL_OK;

	vl_row_key(&at, l->kind, "");
	while (more && err == VL_OK) {
		cli_hold_stops(&before);
		err = list_some(l, txn, &at, &more);
		if (err == VL_OK)
			vl_txn_rest(txn);
		cli_let_stops(&before);
		cli_progress("%zu rows", l->n_found);
		if (more && err == VL_OK)
			err = vl_txn_refresh(txn);
	}
	return vl_txn_err(txn) == VL_OK ? err : vl_txn_explain(txn, why);
}

/* -- the order, and the answer -- */

static int compare(const void *a, const void *b, void *context)
{
	const struct found *x = a, *y = b;
	const struct listing *l = context;
	int order = vl_ask_sort_compare(l->orders, l->n_orders, x->keys, y->keys);

	return order != 0 ? order : (x->n > y->n) - (x->n < y->n);
}

static void answer_row(const struct listing *l, const struct found *f, struct cli_answer *answer)
{
	const uint8_t *at = l->cells.data + f->at;
	size_t size;

	for (size_t i = 0; i < l->n_columns; i++) {
		memcpy(&size, at, sizeof(size));
		at += sizeof(size);
		cli_answer_text(answer, (struct vl_bytes){at, size});
		at += size;
	}
}

static enum vl_err put_answer(struct listing *l, struct vl_buf *out, struct vl_why *why)
{
	size_t n = l->options->limit > 0 && l->options->limit < l->n_found
			   ? (size_t)l->options->limit
			   : l->n_found;
	enum cli_format format = l->options->json  ? CLI_JSON
				 : l->options->csv ? CLI_CSV
						   : CLI_TABLE;

	if (l->n_found > 0)
		qsort_r(l->found, l->n_found, sizeof(*l->found), compare, l);
	for (size_t i = 0; l->whole && i < n; i++)
		vl_buf_put(out, l->cells.data + l->found[i].at, l->found[i].end - l->found[i].at);
	if (l->whole)
		return vl_buf_failed(out) ? VL_ERR_NOMEM : VL_OK;
	struct cli_answer *answer = cli_answer_open(format, CLI_ANSWER_MOST);
	if (answer == NULL)
		return VL_ERR_NOMEM;
	cli_answer_titles(answer, l->titles, l->n_columns);
	for (size_t i = 0; i < n; i++)
		answer_row(l, &l->found[i], answer);
	bool whole = cli_answer_whole(answer);
	if (whole)
		cli_answer_print(answer, cli_bold(), out);
	cli_answer_close(answer);
	return whole && !vl_buf_failed(out) ? VL_OK
					    : vl_fail(why, VL_ERR_TOO_LARGE,
						      "more rows than fit in memory; narrow "
						      "the list by --where or --limit");
}

/* The time at which a row is looked at. */
static struct vl_time time_of(const struct cli_options *options)
{
	if (options->at.given)
		return options->at.time;
	if (options->known.given || options->truth.given)
		return options->known.given ? options->known.time : options->truth.time;
	return vl_clock_now(&vl_clock_system);
}

int cli_ls(const struct cli_options *options)
{
	struct cli_views views = {0};
	struct listing l = {.options = options, .views = &views, .now = time_of(options)};
	struct vl_why why = {0};
	struct vl_buf out = {0};

	l.index = (size_t)vl_view_of_noun(options->command);
	enum vl_err err = open_listing(&l, &why);
	if (err == VL_OK)
		err = cli_views_open(options, &views, &why);
	if (err == VL_OK)
		err = cli_views_go_back(options, (int)l.index, &views, &why);
	if (err == VL_OK)
		err = list_rows(&l, views.txn, &why);
	cli_views_close(&views);
	cli_progress_end();
	if (err == VL_OK)
		err = put_answer(&l, &out, &why);
	int code = err == VL_OK ? CLI_OK : cli_cannot("list", options->command, &why, err);
	if (err == VL_OK)
		cli_views_print(&out);
	if (err == VL_OK && l.hidden > 0 && options->where.n > 0)
		vl_log_info("%" PRIu64 " more rows match, but are closed; --all lists them too",
			    l.hidden);
	if (err == VL_OK && l.damaged > 0)
		code = cli_views_damaged("rows", l.damaged);
	if (err == VL_OK)
		code = cli_views_end(&views, code);
	vl_buf_free(&out);
	close_listing(&l);
	return code;
}
