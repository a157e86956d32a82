#include "ask/reasons.h"

#include "bus/wire.h"
#include "hq/fold/trial.h"
#include "hq/fold/views.h"

#include <stdlib.h>
#include <string.h>

/* What is found of each fact while the row is folded. */
struct mark {
	struct vl_said said;
	bool changed, matters;
};

struct asking {
	const struct vl_ask_probe *probe;
	struct vl_txn *txn;
	struct vl_fold *fold;
	struct vl_arena *arena;
	struct vl_time now;
	const char *key;
	struct vl_history_item *items;
	size_t n;
	struct mark *marks;
	size_t acting, next; /* the fact that acts, SIZE_MAX: none; where to look for the next */
	struct vl_buf value, text, before; /* that stands; of a trial; before a fact */
	bool watches;                      /* each step's text */
	bool ends;                         /* the end of the fold changed it */
	const char *heads[VL_REASON_READS];
	size_t n_heads;
	struct vl_reason_row reads[VL_REASON_READS];
	size_t n_reads;
	struct vl_reasons *out;
	size_t most;
	enum vl_err err;
};

static size_t view_of(const struct asking *a)
{
	return a->probe->of->view;
}

static const char *keep(struct asking *a, const void *text, size_t size)
{
	const char *copy = vl_arena_text(a->arena, text, size);

	if (copy == NULL)
		a->err = VL_ERR_NOMEM;
	return copy;
}

static bool same(const struct vl_buf *a, const struct vl_buf *b)
{
	return a->size == b->size && (a->size == 0 || memcmp(a->data, b->data, a->size) == 0);
}

static void print(struct asking *a, const ProtobufCMessage *message, struct vl_buf *out)
{
	const struct vl_ask_row row = {a->key, message, a->now};

	vl_buf_reset(out);
	vl_ask_probe_print(a->probe, &row, out);
}

/* -- the row as it is folded -- */

/* The fact that acted last: what it has changed is seen now. */
static void close_mark(struct asking *a, const ProtobufCMessage *row)
{
	struct mark *mark = a->acting != SIZE_MAX ? &a->marks[a->acting] : NULL;

	a->acting = SIZE_MAX;
	if (!a->watches)
		return;
	print(a, row, &a->text);
	bool changed = !same(&a->text, &a->before);
	vl_buf_reset(&a->before);
	vl_buf_put(&a->before, a->text.data, a->text.size);
	if (mark == NULL)
		return;
	mark->changed = mark->changed || changed;
	if (mark->said.moves && !changed)
		mark->said.how = VL_SAYS_IN_VAIN;
}

static void look(void *context, struct vl_fold *fold, const ProtobufCMessage *row,
		 const struct vl_fact *fact)
{
	struct asking *a = context;
	const struct vl_ask_probe *probe = a->probe;

	close_mark(a, row);
	for (size_t i = 0; fact != NULL && i < a->n; i++)
		/* Facts act nearly in their order. */
		if (&a->items[(a->next + i) % a->n].fact == fact) {
			a->acting = (a->next + i) % a->n;
			a->next = a->acting + 1;
			break;
		}
	if (a->acting != SIZE_MAX && probe->top != NULL && probe->form != VL_PROBE_RULE)
		vl_bound_said(probe->of->bound, probe->of->kind, probe->top, fold, row, fact,
			      &a->marks[a->acting].said);
}

static void note_read(void *context, size_t view, unsigned kind, const char *key)
{
	struct asking *a = context;

	for (size_t i = 0; i < a->n_reads; i++)
		if (a->reads[i].view == view && a->reads[i].rank == kind &&
		    strcmp(a->reads[i].key, key) == 0)
			return;
	if (a->n_reads == VL_REASON_READS || key[0] == '\0')
		return;
	a->reads[a->n_reads] = (struct vl_reason_row){.view = view,
						      .rank = kind,
						      .kind = vl_views[view]->kinds[kind].name,
						      .key = keep(a, key, strlen(key))};
	a->n_reads += a->reads[a->n_reads].key != NULL;
}

static struct vl_trial trial_of(const struct asking *a)
{
	return (struct vl_trial){.view = view_of(a),
				 .kind = a->probe->of->kind,
				 .key = a->key,
				 .items = a->items,
				 .count = a->n,
				 .without = VL_TRIAL_ALL};
}

static void fold_once(struct asking *a)
{
	const ProtobufCFieldDescriptor *top = a->probe->top;
	struct vl_trial trial = trial_of(a);
	const ProtobufCMessage *row;

	a->watches =
		a->n <= VL_REASON_FACTS || (top != NULL && top->label != PROTOBUF_C_LABEL_REPEATED);
	trial.look = look;
	trial.reads = note_read;
	trial.context = a;
	a->err = vl_fold_try(a->fold, a->txn, &trial, &row);
	print(a, row, &a->value);
	a->ends = a->watches && !same(&a->value, &a->before);
}

/* Whether the row of the trial says something else. */
static bool differs(struct asking *a, const struct vl_trial *trial)
{
	const ProtobufCMessage *row;

	if (a->err != VL_OK)
		return false;
	a->err = vl_fold_try(a->fold, a->txn, trial, &row);
	print(a, row, &a->text);
	return !same(&a->text, &a->value);
}

static void leave_out_each(struct asking *a)
{
	struct vl_trial trial = trial_of(a);

	a->out->many = a->n > VL_REASON_FACTS;
	for (trial.without = 0; trial.without < a->n && !a->out->many; trial.without++)
		a->marks[trial.without].matters = differs(a, &trial);
}

/* -- which events -- */

/* The last that writes it, by a table or, where no table does, as it was seen to change. */
static size_t last_word(const struct asking *a)
{
	for (size_t i = a->n; i-- > 0;)
		if (a->marks[i].said.how == VL_SAYS_IT)
			return i;
	for (size_t i = a->n; i-- > 0;)
		if (a->marks[i].changed && a->marks[i].said.how != VL_SAYS_MORE)
			return i;
	return SIZE_MAX;
}

static bool is_list(const struct asking *a)
{
	return a->probe->form != VL_PROBE_TERM ||
	       (a->probe->top != NULL && a->probe->top->label == PROTOBUF_C_LABEL_REPEATED);
}

static enum vl_reason_role role_of(const struct asking *a, size_t i, size_t last)
{
	const struct mark *mark = &a->marks[i];

	if (mark->said.how == VL_SAYS_MORE || (is_list(a) && mark->changed))
		return VL_REASON_ADDS;
	if (i == last && !a->ends)
		return VL_REASON_DECIDES;
	if (mark->matters)
		return VL_REASON_MATTERS;
	return mark->said.how != VL_SAYS_NOTHING || mark->changed ? VL_REASON_IN_VAIN
								  : VL_REASON_NONE;
}

/* The tables alone, or C, or others' sums make it: without them no event at all is silent. */
static bool may_be_whole(const struct asking *a)
{
	return a->out->in_c && a->out->n_events == 0 && a->out->n_rows == 0 && a->out->adding == 0;
}

static void give_events(struct asking *a)
{
	size_t last = last_word(a);
	struct vl_reasons *out = a->out;

	out->events = vl_arena_alloc(a->arena, (a->n + 1) * sizeof(*out->events));
	if (out->events == NULL) {
		a->err = VL_ERR_NOMEM;
		return;
	}
	for (size_t i = 0; i < a->n; i++) {
		enum vl_reason_role role = role_of(a, i, last);
		if (role != VL_REASON_NONE)
			out->events[out->n_events++] =
				(struct vl_reason_event){&a->items[i], role, a->marks[i].said};
	}
	out->whole = may_be_whole(a) || (out->many && out->in_c && out->n_events == 0);
	for (size_t i = 0; i < a->n && out->whole; i++)
		out->events[out->n_events++] =
			(struct vl_reason_event){.item = &a->items[i], .role = VL_REASON_PART};
}

/* -- what others add -- */

static bool has_head(const struct asking *a, const char *name)
{
	size_t size = strcspn(name, "/");

	for (size_t i = 0; i < a->n_heads; i++)
		if (strncmp(a->heads[i], name, size) == 0 && a->heads[i][size] == '\0')
			return true;
	return false;
}

/* The sums of this row, each by what stands before a '/'. */
static void find_heads(struct asking *a)
{
	struct vl_cursor *cursor = vl_cursor_open(a->txn, vl_view_db(view_of(a), VL_VIEW_TALLY));
	struct vl_bytes key, value;
	struct vl_key prefix;

	vl_row_key(&prefix, a->probe->of->kind, a->key);
	vl_cursor_pass_over(cursor, (struct vl_bytes){0}, NULL, NULL);
	for (bool more = vl_cursor_seek(cursor, vl_key_done(&prefix), &key, &value);
	     more && vl_key_has_prefix(key, vl_key_done(&prefix)) && a->err == VL_OK;) {
		const char *name = (const char *)key.data + prefix.size;
		size_t size = key.size - prefix.size;
		const char *slash = memchr(name, '/', size);
		struct vl_key behind = prefix;
		if (slash != NULL)
			size = (size_t)(slash - name);
		if (a->n_heads < VL_REASON_READS)
			a->heads[a->n_heads] = keep(a, name, size);
		a->n_heads += a->n_heads < VL_REASON_READS && a->heads[a->n_heads] != NULL;
		vl_key_bytes(&behind, name, size);
		vl_key_u8(&behind, slash != NULL ? '/' + 1 : 0);
		more = vl_cursor_seek(cursor, vl_key_done(&behind), &key, &value);
	}
	vl_cursor_close(cursor);
}

/* Only those that make a difference stay; all of them where only all together do. */
static void try_heads(struct asking *a)
{
	struct vl_trial trial = trial_of(a);
	size_t n = 0;

	trial.no_tally = "";
	if (a->n_heads == 0 || !differs(a, &trial)) {
		a->n_heads = 0;
		return;
	}

	for (size_t i = 0; i < a->n_heads; i++) {
		trial.no_tally = a->heads[i];
		if (differs(a, &trial)) {
			const char *kept = a->heads[n];
			a->heads[n++] = a->heads[i];
			a->heads[i] = kept;
		}
	}
	a->n_heads = n > 0 ? n : a->n_heads;
}

static uint64_t size_of(int64_t amount)
{
	return amount < 0 ? 0 - (uint64_t)amount : (uint64_t)amount;
}

/* Behind those that are as large, so that the order is the rows' own. */
static void keep_add(struct asking *a, const struct vl_reason_add *add)
{
	struct vl_reasons *out = a->out;
	size_t at = out->n_adds;

	while (at > 0 && size_of(out->adds[at - 1].amount) < size_of(add->amount))
		at--;
	if (at == a->most)
		return;
	const struct vl_reason_add kept = {add->kind, keep(a, add->key, strlen(add->key)),
					   keep(a, add->name, strlen(add->name)), add->amount};
	out->n_adds += out->n_adds < a->most;
	memmove(&out->adds[at + 1], &out->adds[at], (out->n_adds - 1 - at) * sizeof(kept));
	out->adds[at] = kept;
}

/* Who is asked what it adds. */
struct adder {
	struct asking *a;
	const char *kind, *key;
};

static void note_add(void *context, unsigned kind, const char *key, const char *name, int64_t count)
{
	const struct adder *adder = context;
	struct asking *a = adder->a;

	if (kind != a->probe->of->kind || strcmp(key, a->key) != 0 || !has_head(a, name))
		return;
	a->out->adding++;
	a->out->sum += count;
	keep_add(a, &(struct vl_reason_add){adder->kind, adder->key, name, count});
}

static void ask_rows(struct asking *a, unsigned kind, struct vl_arena *room, uint64_t *left)
{
	struct vl_cursor *cursor = vl_cursor_open(a->txn, vl_view_db(view_of(a), VL_VIEW_ROW));
	const struct vl_kind *of = &vl_views[view_of(a)]->kinds[kind];
	struct vl_bytes key, value;
	struct vl_key prefix;

	vl_row_key(&prefix, kind, "");
	vl_cursor_pass_over(cursor, (struct vl_bytes){0}, NULL, NULL);
	for (bool more = vl_cursor_seek(cursor, vl_key_done(&prefix), &key, &value);
	     more && a->err == VL_OK && vl_key_has_prefix(key, vl_key_done(&prefix));
	     more = vl_cursor_next(cursor, &key, &value)) {
		if (*left == 0) {
			a->out->not_all = true;
			break;
		}
		(*left)--;
		vl_arena_reset(room);
		struct adder adder = {a, of->name, vl_arena_text(room, key.data + 1, key.size - 2)};
		const ProtobufCMessage *row = vl_wire_unpack(of->row, value, room);
		if (vl_arena_failed(room))
			a->err = VL_ERR_NOMEM;
		else if (row != NULL)
			a->err = vl_fold_try_adds(a->fold, a->txn, view_of(a), kind, adder.key, row,
						  note_add, &adder);
	}
	vl_cursor_close(cursor);
}

static void give_adds(struct asking *a)
{
	struct vl_arena *room = vl_arena_open(0);
	uint64_t left = VL_REASON_ROWS;

	a->out->adds = vl_arena_alloc(a->arena, (a->most + 1) * sizeof(*a->out->adds));
	if (room == NULL || a->out->adds == NULL)
		a->err = VL_ERR_NOMEM;
	for (unsigned kind = 0;
	     kind < vl_views[view_of(a)]->n_kinds && a->n_heads > 0 && a->err == VL_OK; kind++)
		ask_rows(a, kind, room, &left);
	vl_arena_close(room);
}

/* -- which rows it looks at -- */

static void try_reads(struct asking *a)
{
	struct vl_trial trial = trial_of(a);
	struct vl_reasons *out = a->out;

	out->rows = vl_arena_alloc(a->arena, (a->n_reads + 1) * sizeof(*out->rows));
	if (out->rows == NULL)
		a->err = VL_ERR_NOMEM;
	for (size_t i = 0; i < a->n_reads && a->err == VL_OK; i++) {
		trial.no_view = a->reads[i].view;
		trial.no_kind = a->reads[i].rank;
		trial.no_key = a->reads[i].key;
		if (differs(a, &trial))
			out->rows[out->n_rows++] = a->reads[i];
	}
}

/* -- all of it -- */

static void give_words(struct asking *a)
{
	const struct vl_ask_probe *probe = a->probe;
	struct vl_buf lines = {0};

	if (probe->form == VL_PROBE_RULE)
		vl_bound_rule(probe->of->bound, probe->of->kind, probe->rule, &lines);
	else if (probe->top != NULL)
		vl_bound_sources(probe->of->bound, probe->of->kind, probe->top, &lines);
	a->out->sources = keep(a, lines.data, lines.size);
	a->out->value = keep(a, a->value.data, a->value.size);
	/* Where C could have made it, and no line says who else does. */
	a->out->in_c =
		vl_bound_in_c(probe->of->bound, probe->of->kind) && (lines.size == 0 || a->ends);
	vl_buf_free(&lines);
}

static enum vl_err read_items(struct asking *a)
{
	enum vl_err err = vl_fold_try_items(a->txn, view_of(a), a->probe->of->kind, a->key,
					    a->arena, &a->items, &a->n, &a->out->n_damaged);

	a->out->n_history = a->n;
	a->marks = vl_arena_alloc(a->arena, (a->n + 1) * sizeof(*a->marks));
	a->fold = vl_fold_open();
	return err == VL_OK && (a->marks == NULL || a->fold == NULL) ? VL_ERR_NOMEM : err;
}

enum vl_err vl_reasons_find(const struct vl_ask_probe *probe, struct vl_txn *txn, const char *key,
			    struct vl_time now, size_t most, struct vl_arena *arena,
			    struct vl_reasons *reasons)
{
	struct asking a = {.probe = probe,
			   .txn = txn,
			   .arena = arena,
			   .now = now,
			   .key = key,
			   .out = reasons,
			   .most = most};
	void (*const parts[])(struct asking *) = {fold_once,  leave_out_each, give_words,
						  find_heads, try_heads,      give_adds,
						  try_reads,  give_events};

	*reasons = (struct vl_reasons){0};
	a.acting = SIZE_MAX;
	a.err = read_items(&a);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]) && a.err == VL_OK; i++)
		parts[i](&a);
	if (a.err == VL_OK && (vl_buf_failed(&a.value) || vl_buf_failed(&a.text)))
		a.err = VL_ERR_NOMEM;
	vl_fold_close(a.fold);
	vl_buf_free(&a.value);
	vl_buf_free(&a.text);
	vl_buf_free(&a.before);
	return a.err;
}
