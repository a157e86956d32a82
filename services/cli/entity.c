#include "cli/entity.h"

#include "base/unicode.h"
#include "bus/wire.h"
#include "cli/zone.h"

#include <string.h>

static bool take_row(struct cli_entity *e, struct vl_txn *txn, unsigned kind)
{
	struct vl_bytes value;
	struct vl_key key;

	vl_row_key(&key, kind, e->key);
	enum vl_err err =
		vl_txn_find(txn, vl_view_db(e->index, VL_VIEW_ROW), vl_key_done(&key), &value);
	if (err != VL_OK && err != VL_ERR_CORRUPT)
		return false;
	e->kind = kind;
	e->damaged = err == VL_ERR_CORRUPT;
	if (e->damaged)
		return true;
	e->row = vl_wire_unpack(e->view->kinds[kind].row, value, e->arena);
	return true;
}

/* The rows of a kind are looked through for a key like the one that was asked for, but not more
 * of them than this. */
#define NEAR_MOST 100000

/* A character that is invisible, or looks like a plain blank. */
static bool is_hidden(uint32_t c)
{
	return vl_character_unsafe(c) || c == 0xa0 || c == 0xad || (c >= 0x2000 && c <= 0x200d) ||
	       c == 0x202f || c == 0x3000;
}

/* Whether the key would be the other one, but for invisible characters. */
static bool looks_like(const char *key, const char *asked)
{
	size_t left = strlen(key), length;

	for (; left > 0; key += length, left -= length) {
		if (is_hidden(vl_character(key, left, &length)))
			continue;
		if (strncmp(asked, key, length) != 0)
			return false;
		asked += length;
	}
	return *asked == '\0';
}

/* How far a key is from the one that was asked for: one that only looks like it is nearest of
 * all. */
static size_t apart(const char *key, const char *asked)
{
	if (looks_like(key, asked))
		return 0;
	return cli_nearest(asked, &key, 1) != NULL ? 1 + cli_distance(asked, key) : SIZE_MAX;
}

/* A key of the kind that is like it, as a person may see it, in `shown`; false where there is
 * none. */
static bool find_near(struct vl_txn *txn, const struct cli_entity *e, unsigned kind,
		      struct vl_buf *shown)
{
	struct vl_cursor *cursor = vl_cursor_open(txn, vl_view_db(e->index, VL_VIEW_ROW));
	struct vl_bytes found, value;
	struct vl_key prefix;
	size_t best = SIZE_MAX, n = 0;

	vl_row_key(&prefix, kind, "");
	vl_cursor_pass_over(cursor, (struct vl_bytes){0}, NULL, NULL);
	for (bool more = vl_cursor_seek(cursor, vl_key_done(&prefix), &found, &value);
	     more && n++ < NEAR_MOST && vl_key_has_prefix(found, vl_key_done(&prefix));
	     more = vl_cursor_next(cursor, &found, &value)) {
		/* A byte for the kind, then the key and a NUL. */
		const char *key = (const char *)found.data + 1;
		size_t far = apart(key, e->key);
		if (far >= best)
			continue;
		best = far;
		vl_buf_reset(shown);
		vl_name_put(shown, vl_bytes_of(key));
	}
	vl_cursor_close(cursor);
	vl_buf_put_byte(shown, '\0');
	return best != SIZE_MAX && !vl_buf_failed(shown);
}

static enum vl_err not_found(const struct cli_entity *e, const struct cli_options *options,
			     struct vl_txn *txn, unsigned kind, struct vl_why *why)
{
	struct vl_buf near = {0};
	bool found = find_near(txn, e, kind, &near);

	(void)vl_fail(why, VL_ERR_NOT_FOUND,
		      "no such %s%s; %s%s%s'valise %s ls%s%s --all' lists the keys",
		      options->kind != NULL ? options->kind : options->command,
		      options->known.given || options->truth.given ? " at that time" : "",
		      found ? "did you mean '" : "", found ? (const char *)near.data : "",
		      found ? "'? " : "", options->command, options->kind != NULL ? " " : "",
		      options->kind != NULL ? options->kind : "");
	vl_buf_free(&near);
	return VL_ERR_NOT_FOUND;
}

static enum vl_err find(struct cli_entity *e, const struct cli_options *options, struct vl_txn *txn,
			struct vl_why *why)
{
	unsigned kind;

	enum vl_err err = cli_views_kind(e->view, options->kind, &kind, why);
	if (err != VL_OK)
		return err;
	bool found = take_row(e, txn, kind);
	for (unsigned i = e->view->n_kinds; options->kind == NULL && !found && i-- > 0;)
		found = take_row(e, txn, i);
	if (vl_txn_err(txn) != VL_OK)
		return vl_txn_explain(txn, why);
	if (!found)
		return not_found(e, options, txn, kind, why);
	return e->row != NULL || e->damaged
		       ? vl_history_read(txn, e->index, e->kind, e->key, e->arena, &e->history,
					 &e->n_history, &e->n_damaged)
		       : VL_ERR_NOMEM;
}

enum vl_err cli_entity_open(struct cli_entity *e, const struct cli_options *options,
			    struct cli_views *views, struct vl_why *why)
{
	e->index = (size_t)vl_view_of_noun(options->command);
	e->view = vl_views[e->index];
	e->key = vl_entity_key(options->args[0], e->room);
	e->arena = vl_arena_open(0);
	e->tables = vl_ask_tables_open();
	enum vl_err err = e->arena != NULL && e->tables != NULL ? VL_OK : VL_ERR_NOMEM;
	if (err == VL_OK)
		err = cli_zone_set(options->zone, why);
	if (err == VL_OK)
		err = vl_view_bind_one(e->view, &e->bound, why);
	if (err == VL_OK)
		err = cli_views_open(options, views, why);
	if (err == VL_OK)
		err = cli_views_go_back(options, (int)e->index, views, why);
	if (err == VL_OK)
		err = find(e, options, views->txn, why);
	return err;
}

void cli_entity_close(struct cli_entity *e)
{
	vl_view_unbind(e->bound);
	vl_ask_tables_close(e->tables);
	vl_arena_close(e->arena);
}

void cli_entity_title(const struct cli_entity *e, const struct cli_views *views, struct vl_buf *out)
{
	vl_buf_printf(out, "%s ", e->view->kinds[e->kind].name);
	vl_name_put(out, vl_bytes_of(e->key));
	vl_buf_printf(out, "  %s\n", e->view->lane);
	cli_views_put_time(views, out);
	vl_buf_put_byte(out, '\n');
}
