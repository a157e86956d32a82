#include "ask_rows.h"

#include "bus/json.h"
#include "bus/wire.h"
#include "hq/fold/fold.h"
#include "hq/fold/views.h"
#include "hq/repair/open.h"
#include "hq/fold/databases.h"

#define MAP ((size_t)256 << 20)

static void open_ledger(struct rows *r)
{
	assert_int_equal(VL_OK, vl_ledger_open(r->dir, MAP, false, &r->store, NULL));
}

int rows_setup(void **state)
{
	struct rows *r = calloc(1, sizeof(*r));

	(void)strcpy(r->dir, "/tmp/valise-ask-XXXXXX");
	if (mkdtemp(r->dir) == NULL)
		return -1;
	r->tables = vl_ask_tables_open();
	r->arena = vl_arena_open(0);
	assert_true(vl_views_count() < VL_ROWS_VIEWS);
	assert_true(vl_views_bind(r->bound, &(struct vl_buf){0}));
	open_ledger(r);
	r->txn = vl_txn_begin(r->store, true, NULL);
	*state = r;
	return r->tables != NULL && r->arena != NULL && r->txn != NULL ? 0 : -1;
}

int rows_teardown(void **state)
{
	struct rows *r = *state;
	char command[128];

	vl_txn_abort(r->txn);
	vl_store_close(r->store);
	vl_ask_tables_close(r->tables);
	vl_arena_close(r->arena);
	for (size_t i = 0; i < vl_views_count(); i++)
		vl_view_unbind(r->bound[i]);
	(void)snprintf(command, sizeof(command), "rm -rf '%s'", r->dir);
	free(r);
	return system(command);
}

size_t rows_view(const char *noun)
{
	int view = vl_view_of_noun(noun);

	assert_true(view >= 0);
	return (size_t)view;
}

unsigned rows_kind(const char *noun, const char *kind)
{
	int found = vl_view_kind(vl_views[rows_view(noun)], kind);

	assert_true(found >= 0);
	return (unsigned)found;
}

const ProtobufCMessage *rows_message(struct rows *r, const char *noun, const char *kind,
				     const char *json)
{
	const ProtobufCMessageDescriptor *type =
		vl_views[rows_view(noun)]->kinds[rows_kind(noun, kind)].row;
	ProtobufCMessage *message = NULL;
	struct vl_why why = {0};

	if (vl_json_parse(type, json, strlen(json), r->arena, &message, &why) != VL_OK)
		fail_msg("%s: %s", json, why.text);
	return message;
}

void rows_put_bytes(struct rows *r, const char *noun, const char *kind, const char *key,
		    struct vl_bytes bytes)
{
	struct vl_key row;

	vl_row_key(&row, rows_kind(noun, kind), key);
	vl_txn_put(r->txn, vl_view_db(rows_view(noun), VL_VIEW_ROW), vl_key_done(&row), bytes);
}

void rows_put(struct rows *r, const char *noun, const char *kind, const char *key, const char *json)
{
	struct vl_buf packed = {0};

	vl_wire_pack(rows_message(r, noun, kind, json), &packed);
	rows_put_bytes(r, noun, kind, key, vl_buf_bytes(&packed));
	vl_buf_free(&packed);
}

void rows_read(struct rows *r)
{
	assert_int_equal(VL_OK, vl_txn_commit(r->txn, NULL));
	r->txn = vl_txn_begin(r->store, false, NULL);
	assert_non_null(r->txn);
}

const struct vl_ask_kind *rows_of(struct rows *r, const char *noun, const char *kind)
{
	struct vl_ask_kind *of = vl_arena_alloc(r->arena, sizeof(*of));

	*of = (struct vl_ask_kind){r->tables, r->bound[rows_view(noun)], rows_view(noun),
				   rows_kind(noun, kind)};
	return of;
}

/* With all values unchecked, so that the check word is seen as part of one. */
static struct vl_store *open_raw(const struct rows *r)
{
	static char room[64][VL_LEDGER_NAME];
	const char *names[64] = {NULL};
	struct vl_store_options options = {
		.path = r->dir, .dbs = names, .unchecked = UINT64_MAX, .map_size = MAP};
	struct vl_store *store;

	for (unsigned i = 0; i < vl_view_db(vl_views_count(), 0); i++) {
		vl_ledger_name(i, room[i]);
		names[i] = room[i];
	}
	assert_int_equal(VL_OK, vl_store_open(&options, &store, NULL));
	return store;
}

void rows_rot(struct rows *r, const char *noun, const char *kind, const char *key)
{
	unsigned db = vl_view_db(rows_view(noun), VL_VIEW_ROW);
	struct vl_buf copy = {0};
	struct vl_bytes raw;
	struct vl_key row;

	vl_row_key(&row, rows_kind(noun, kind), key);
	vl_txn_abort(r->txn);
	vl_store_close(r->store);
	struct vl_store *store = open_raw(r);
	struct vl_txn *txn = vl_txn_begin(store, true, NULL);
	assert_true(vl_txn_get(txn, db, vl_key_done(&row), &raw));
	vl_buf_put(&copy, raw.data, raw.size);
	copy.data[0] ^= 1;
	vl_txn_put(txn, db, vl_key_done(&row), vl_buf_bytes(&copy));
	assert_int_equal(VL_OK, vl_txn_commit(txn, NULL));
	vl_store_close(store);
	vl_buf_free(&copy);
	open_ledger(r);
	r->txn = vl_txn_begin(r->store, false, NULL);
}
