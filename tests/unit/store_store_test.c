/* store/store.h: transactions with a sticky error, cursors, a full map, who may write. */
#include "store_fixture.h"

#include "base/text.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const dbs[] = {"one", "two", "plain", NULL};

static struct vl_store *open_store(bool read_only)
{
	struct vl_store_options options = {.path = folder,
					   .dbs = dbs,
					   .unchecked = 4,
					   .map_size = MAP,
					   .read_only = read_only};
	struct vl_store *store;
	struct vl_why why = {0};

	enum vl_err err = vl_store_open(&options, &store, &why);
	if (err != VL_OK)
		fail_msg("open: %s", vl_why_text(&why, err));
	return store;
}

static void put_one(struct vl_store *store, const char *key, const char *value)
{
	struct vl_txn *txn = vl_txn_begin(store, true, NULL);

	assert_non_null(txn);
	vl_txn_put(txn, 0, b(key), b(value));
	assert_int_equal(vl_txn_commit(txn, NULL), VL_OK);
}

static bool holds(struct vl_txn *txn, const char *key, const char *value)
{
	struct vl_bytes found;

	return vl_txn_get(txn, 0, b(key), &found) && found.size == strlen(value) &&
	       memcmp(found.data, value, found.size) == 0;
}

static int setup(void **state)
{
	(void)state;
	return make_place();
}

static void keeps_what_was_committed(void **state)
{
	(void)state;
	struct vl_store *store = open_store(false);
	put_one(store, "a", "1");
	struct vl_txn *txn = vl_txn_begin(store, true, NULL);
	vl_txn_put(txn, 0, b("b"), b("2"));
	vl_txn_abort(txn);
	vl_store_close(store);

	store = open_store(false);
	txn = vl_txn_begin(store, false, NULL);
	assert_true(holds(txn, "a", "1"));
	assert_false(vl_txn_get(txn, 0, b("b"), NULL));
	assert_false(vl_txn_get(txn, 1, b("a"), NULL));
	assert_int_equal(vl_txn_err(txn), VL_OK);
	assert_int_equal(vl_txn_count(txn, 0), 1);
	assert_int_equal(vl_txn_count(txn, 1), 0);
	vl_txn_abort(txn);
	vl_store_close(store);
}

static void error_sticks(void **state)
{
	(void)state;
	struct vl_store *store = open_store(false);
	struct vl_txn *txn = vl_txn_begin(store, true, NULL);
	struct vl_why why = {0};
	struct vl_bytes there;

	vl_txn_put(txn, 0, b("a"), b("1"));
	vl_txn_put(txn, 0, b(""), b("no key"));
	assert_int_equal(vl_txn_err(txn), VL_ERR_BUG);
	vl_txn_put(txn, 0, b("c"), b("3"));
	assert_false(vl_txn_get(txn, 0, b("a"), NULL));
	assert_false(vl_txn_delete(txn, 0, b("a")));
	assert_false(vl_txn_greatest(txn, 0, &there));
	assert_null(vl_txn_reserve(txn, 0, b("e"), 5));
	assert_null(vl_cursor_open(txn, 0));
	assert_int_equal(vl_txn_count(txn, 0), 0);
	vl_txn_fail(txn, VL_ERR_IO);
	assert_int_equal(vl_txn_err(txn), VL_ERR_BUG);
	assert_int_equal(vl_txn_commit(txn, &why), VL_ERR_BUG);
	assert_string_equal(why.text, vl_err_text(VL_ERR_BUG));

	txn = vl_txn_begin(store, false, NULL);
	assert_int_equal(vl_txn_count(txn, 0), 0);
	vl_txn_abort(txn);
	vl_store_close(store);
}

static void caller_can_fail_it(void **state)
{
	(void)state;
	struct vl_store *store = open_store(false);
	struct vl_txn *txn = vl_txn_begin(store, true, NULL);

	vl_txn_put(txn, 0, b("a"), b("1"));
	vl_txn_fail(txn, VL_ERR_INVALID);
	assert_int_equal(vl_txn_commit(txn, NULL), VL_ERR_INVALID);
	put_one(store, "b", "2");
	vl_store_close(store);
}

static void puts_in_each_way(void **state)
{
	(void)state;
	struct vl_store *store = open_store(false);
	struct vl_txn *txn = vl_txn_begin(store, true, NULL);
	struct vl_bytes there;

	vl_txn_put(txn, 0, b("k"), b("first"));
	vl_txn_put(txn, 0, b("k"), b("second"));
	assert_true(holds(txn, "k", "second"));
	uint8_t *room = vl_txn_reserve(txn, 2, b("r"), 3);
	assert_non_null(room);
	memcpy(room, "xyz", 3);
	assert_true(vl_txn_get(txn, 2, b("r"), &there));
	assert_int_equal(there.size, 3);
	assert_memory_equal(there.data, "xyz", 3);
	assert_true(vl_txn_delete(txn, 0, b("k")));
	assert_false(vl_txn_delete(txn, 0, b("k")));
	assert_int_equal(vl_txn_err(txn), VL_OK);
	vl_txn_abort(txn);
	vl_store_close(store);
}

/* Both databases: one with check words, one without. */
static void puts_at_a_cursor(void **state)
{
	(void)state;
	struct vl_store *store = open_store(false);
	struct vl_txn *txn = vl_txn_begin(store, true, NULL);
	struct vl_bytes key;

	for (unsigned db = 0; db <= 2; db += 2) {
		assert_false(vl_txn_greatest(txn, db, &key));
		struct vl_cursor *cursor = vl_cursor_open(txn, db);
		assert_true(vl_cursor_insert(cursor, b("k"), b("first")));
		assert_false(vl_cursor_insert(cursor, b("k"), b("second")));
		assert_true(vl_cursor_insert(cursor, b("a"), b("before")));
		vl_cursor_append(cursor, b("s"), b("last"));
		assert_true(vl_txn_greatest(txn, db, &key));
		assert_int_equal(key.size, 1);
		assert_memory_equal(key.data, "s", 1);
		vl_cursor_close(cursor);
		assert_int_equal(vl_txn_count(txn, db), 3);
	}
	assert_true(holds(txn, "k", "first"));
	assert_true(holds(txn, "a", "before"));
	assert_true(holds(txn, "s", "last"));
	struct vl_cursor *cursor = vl_cursor_open(txn, 0);
	vl_cursor_append(cursor, b("b"), b("not the greatest"));
	assert_int_equal(vl_txn_err(txn), VL_ERR_BUG);
	assert_false(vl_cursor_insert(cursor, b("t"), b("too late")));
	assert_false(vl_txn_greatest(txn, 0, &key));
	vl_cursor_close(cursor);
	vl_txn_abort(txn);
	vl_store_close(store);
}

static void cursor_walks_both_ways(void **state)
{
	(void)state;
	struct vl_store *store = open_store(false);
	put_one(store, "a", "1");
	put_one(store, "c", "3");
	put_one(store, "b", "2");
	struct vl_txn *txn = vl_txn_begin(store, false, NULL);
	struct vl_cursor *cursor = vl_cursor_open(txn, 0);
	struct vl_bytes key, value;

	assert_true(vl_cursor_seek(cursor, (struct vl_bytes){0}, &key, &value));
	assert_memory_equal(key.data, "a", 1);
	assert_true(vl_cursor_next(cursor, &key, NULL));
	assert_memory_equal(key.data, "b", 1);
	assert_true(vl_cursor_next(cursor, NULL, &value));
	assert_memory_equal(value.data, "3", 1);
	assert_false(vl_cursor_next(cursor, &key, &value));
	assert_true(vl_cursor_last(cursor, &key, &value));
	assert_memory_equal(key.data, "c", 1);
	assert_true(vl_cursor_prev(cursor, &key, &value));
	assert_memory_equal(key.data, "b", 1);
	assert_true(vl_cursor_seek(cursor, b("bb"), &key, &value));
	assert_memory_equal(key.data, "c", 1);
	assert_false(vl_cursor_seek(cursor, b("d"), &key, &value));
	assert_true(vl_cursor_seek(cursor, b("a"), &key, &value));
	assert_false(vl_cursor_prev(cursor, &key, &value));
	assert_int_equal(vl_txn_err(txn), VL_OK);
	vl_cursor_close(cursor);
	vl_txn_abort(txn);
	vl_store_close(store);
}

static void empty_database_has_no_first(void **state)
{
	(void)state;
	struct vl_store *store = open_store(false);
	struct vl_txn *txn = vl_txn_begin(store, false, NULL);
	struct vl_cursor *cursor = vl_cursor_open(txn, 1);

	assert_false(vl_cursor_seek(cursor, (struct vl_bytes){0}, NULL, NULL));
	assert_false(vl_cursor_last(cursor, NULL, NULL));
	assert_int_equal(vl_txn_err(txn), VL_OK);
	vl_cursor_close(cursor);
	vl_txn_abort(txn);
	vl_store_close(store);
}

static unsigned count_with_prefix(struct vl_store *store, struct vl_bytes prefix)
{
	struct vl_txn *txn = vl_txn_begin(store, false, NULL);
	struct vl_cursor *cursor = vl_cursor_open(txn, 0);
	struct vl_bytes key, value;
	unsigned count = 0;

	for (bool more = vl_cursor_seek(cursor, prefix, &key, &value);
	     more && vl_key_has_prefix(key, prefix); more = vl_cursor_next(cursor, &key, &value))
		count++;
	vl_cursor_close(cursor);
	vl_txn_abort(txn);
	return count;
}

static void walks_a_prefix_in_numeric_order(void **state)
{
	(void)state;
	struct vl_store *store = open_store(false);
	static const uint64_t numbers[] = {256, 1, 255, UINT64_MAX, 0};
	struct vl_txn *txn = vl_txn_begin(store, true, NULL);

	for (size_t i = 0; i < 5; i++) {
		struct vl_key key = {0};
		vl_key_text(&key, i == 4 ? "lane2" : "lane");
		vl_key_u64(&key, numbers[i]);
		vl_txn_put(txn, 0, vl_key_done(&key), b("x"));
	}
	assert_int_equal(vl_txn_commit(txn, NULL), VL_OK);
	struct vl_key prefix = {0};
	vl_key_text(&prefix, "lane");
	assert_int_equal(count_with_prefix(store, vl_key_done(&prefix)), 4);
	assert_int_equal(count_with_prefix(store, (struct vl_bytes){0}), 5);

	struct vl_key from = prefix;
	vl_key_u64(&from, 2);
	txn = vl_txn_begin(store, false, NULL);
	struct vl_cursor *cursor = vl_cursor_open(txn, 0);
	struct vl_bytes key;
	assert_true(vl_cursor_seek(cursor, vl_key_done(&from), &key, NULL));
	assert_int_equal(vl_get_be64(key.data + 5), 255);
	assert_true(vl_cursor_next(cursor, &key, NULL));
	assert_int_equal(vl_get_be64(key.data + 5), 256);
	vl_cursor_close(cursor);
	vl_txn_abort(txn);
	vl_store_close(store);
}

static void overlong_key_matches_nothing(void **state)
{
	(void)state;
	struct vl_store *store = open_store(false);
	struct vl_key key = {0};
	char text[VL_STORE_KEY_MAX + 1];

	put_one(store, "a", "1");
	memset(text, 'k', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	vl_key_text(&key, text);
	assert_true(key.failed);
	vl_key_u8(&key, 1);
	vl_key_u32(&key, 1);
	assert_int_equal(count_with_prefix(store, vl_key_done(&key)), 0);
	struct vl_txn *txn = vl_txn_begin(store, true, NULL);
	vl_txn_put(txn, 0, vl_key_done(&key), b("x"));
	assert_int_equal(vl_txn_commit(txn, NULL), VL_ERR_BUG);

	key = (struct vl_key){0};
	vl_key_bytes(&key, text, VL_STORE_KEY_MAX);
	txn = vl_txn_begin(store, true, NULL);
	vl_txn_put(txn, 0, vl_key_done(&key), b("fits"));
	assert_int_equal(vl_txn_commit(txn, NULL), VL_OK);
	vl_store_close(store);
}

static void full_map_aborts_and_can_go_on(void **state)
{
	(void)state;
	struct vl_store *store = open_store(false);
	static uint8_t big[64 << 10];
	unsigned kept = 0;
	size_t used, room;

	put_one(store, "a", "1");
	for (enum vl_err err = VL_OK; err == VL_OK && kept < 100; kept += err == VL_OK) {
		struct vl_txn *txn = vl_txn_begin(store, true, NULL);
		struct vl_key key = {0};
		vl_key_u32(&key, kept);
		vl_txn_put(txn, 1, vl_key_done(&key), (struct vl_bytes){big, sizeof(big)});
		err = vl_txn_commit(txn, NULL);
		if (err != VL_OK)
			assert_int_equal(err, VL_ERR_FULL);
		if (err != VL_OK)
			break;
	}
	assert_in_range(kept, 8, 15);
	vl_store_usage(store, &used, &room);
	assert_int_equal(room, MAP);
	assert_in_range(used, kept * sizeof(big), MAP);
	struct vl_txn *txn = vl_txn_begin(store, true, NULL);
	assert_true(holds(txn, "a", "1"));
	for (unsigned i = 0; i < kept; i++) {
		struct vl_key key = {0};
		vl_key_u32(&key, i);
		assert_true(vl_txn_delete(txn, 1, vl_key_done(&key)));
	}
	assert_int_equal(vl_txn_commit(txn, NULL), VL_OK);
	size_t before = used;
	vl_store_usage(store, &used, &room);
	assert_true(used < before / 2);
	put_one(store, "b", "2");
	vl_store_close(store);
}

static void reader_sees_its_own_hour(void **state)
{
	(void)state;
	struct vl_store *store = open_store(false);
	put_one(store, "a", "1");
	struct vl_txn *txn = vl_txn_begin(store, false, NULL);
	put_one(store, "a", "2");
	assert_true(holds(txn, "a", "1"));
	assert_int_equal(vl_txn_refresh(txn), VL_OK);
	assert_true(holds(txn, "a", "2"));
	vl_txn_abort(txn);
	vl_store_close(store);
}

/* What a child process finds when it opens the store: its exit status is the error. */
static int in_child(bool read_only)
{
	struct vl_store_options options = {.path = folder,
					   .dbs = dbs,
					   .unchecked = 4,
					   .map_size = MAP,
					   .read_only = read_only};
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		struct vl_store *store;
		enum vl_err err = vl_store_open(&options, &store, NULL);
		if (err == VL_OK && read_only) {
			struct vl_txn *txn = vl_txn_begin(store, false, NULL);
			err = txn != NULL && holds(txn, "a", "1") ? VL_OK : VL_ERR_CORRUPT;
			vl_txn_abort(txn);
		}
		if (err == VL_OK)
			vl_store_close(store);
		_exit((int)err);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void one_writer_many_readers(void **state)
{
	(void)state;
	assert_int_equal(in_child(true), VL_ERR_NOT_FOUND);
	struct vl_store *store = open_store(false);
	put_one(store, "a", "1");
	assert_int_equal(in_child(false), VL_ERR_LOCKED);
	assert_int_equal(in_child(true), VL_OK);
	vl_store_close(store);
	assert_int_equal(in_child(false), VL_OK);
	assert_int_equal(in_child(true), VL_OK);
}

static void reader_does_not_write(void **state)
{
	(void)state;
	struct vl_why why = {0};

	vl_store_close(open_store(false));
	struct vl_store *store = open_store(true);
	assert_null(vl_txn_begin(store, true, &why));
	assert_true(why.text[0] != '\0');
	struct vl_txn *txn = vl_txn_begin(store, false, NULL);
	vl_txn_put(txn, 0, b("a"), b("1"));
	assert_int_not_equal(vl_txn_commit(txn, NULL), VL_OK);
	vl_store_close(store);
}

static void says_what_is_not_a_store(void **state)
{
	(void)state;
	static const char *const others[] = {"one", "three", NULL};
	struct vl_store_options options = {.path = folder, .dbs = others, .read_only = true};
	struct vl_store *store;
	char name[128];

	vl_store_close(open_store(false));
	assert_int_equal(vl_store_open(&options, &store, NULL), VL_ERR_CORRUPT);
	assert_null(store);
	(void)snprintf(name, sizeof(name), "%s/data.mdb", folder);
	FILE *file = fopen(name, "w");
	assert_non_null(file);
	for (int i = 0; i < 16384; i++)
		(void)fputc('x', file);
	assert_int_equal(fclose(file), 0);
	options.dbs = dbs;
	assert_int_equal(vl_store_open(&options, &store, NULL), VL_ERR_CORRUPT);
	options =
		(struct vl_store_options){.path = "/proc/none/store", .dbs = dbs, .map_size = MAP};
	assert_int_not_equal(vl_store_open(&options, &store, NULL), VL_OK);
	assert_null(store);
}

static void files_are_private(void **state)
{
	(void)state;
	static const char *const names[] = {"", "/data.mdb", "/lock.mdb", "/writer"};
	struct stat found;
	char name[128];

	vl_store_close(open_store(false));
	for (size_t i = 0; i < 4; i++) {
		(void)snprintf(name, sizeof(name), "%s%s", folder, names[i]);
		assert_int_equal(stat(name, &found), 0);
		assert_int_equal(found.st_mode & 077, 0);
	}
}

/* A reader that was killed must not keep its slot, nor its pages. */
static void dead_readers_are_forgotten(void **state)
{
	(void)state;
	struct vl_store *store = open_store(false);
	put_one(store, "a", "1");
	for (int i = 0; i < 300; i++) {
		pid_t pid = fork();
		if (pid == 0) {
			struct vl_store_options options = {
				.path = folder, .dbs = dbs, .unchecked = 4, .read_only = true};
			struct vl_store *mine;
			_exit(vl_store_open(&options, &mine, NULL) == VL_OK &&
					      vl_txn_begin(mine, false, NULL) != NULL
				      ? 0
				      : 1);
		}
		int status;
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
	}
	vl_store_close(store);
}

static void put_many(struct vl_store *store, uint8_t *value, size_t size)
{
	for (uint8_t i = 0; i < 200; i++) {
		struct vl_txn *txn = vl_txn_begin(store, true, NULL);
		value[0] = i;
		vl_txn_put(txn, 0, (struct vl_bytes){(const uint8_t *)"big", 3},
			   (struct vl_bytes){value, size});
		assert_int_equal(vl_txn_commit(txn, NULL), VL_OK);
	}
}

static off_t file_size(void)
{
	char path[sizeof(folder) + 16];
	struct stat status;

	(void)snprintf(path, sizeof(path), "%s/data.mdb", folder);
	assert_int_equal(stat(path, &status), 0);
	return status.st_size;
}

/* A snapshot keeps every page from reuse; when its reader is dead and forgotten no more. */
static void a_dead_reader_keeps_no_page(void **state)
{
	(void)state;
	static uint8_t value[16384];
	struct vl_store *store = open_store(false);
	put_one(store, "a", "1");
	pid_t pid = fork();
	if (pid == 0) {
		struct vl_store_options options = {
			.path = folder, .dbs = dbs, .unchecked = 4, .read_only = true};
		struct vl_store *mine;
		bool holds = vl_store_open(&options, &mine, NULL) == VL_OK &&
			     vl_txn_begin(mine, false, NULL) != NULL;
		_exit(holds ? 0 : 1);
	}
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	vl_store_reap_readers(store);
	put_many(store, value, sizeof(value));
	off_t before = file_size();
	put_many(store, value, sizeof(value));
	assert_int_equal(file_size(), before);
	assert_true(before < 40 * (off_t)sizeof(value));
	vl_store_close(store);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(keeps_what_was_committed),
		TEST(error_sticks),
		TEST(caller_can_fail_it),
		TEST(puts_in_each_way),
		TEST(puts_at_a_cursor),
		TEST(cursor_walks_both_ways),
		TEST(empty_database_has_no_first),
		TEST(walks_a_prefix_in_numeric_order),
		TEST(overlong_key_matches_nothing),
		TEST(full_map_aborts_and_can_go_on),
		TEST(reader_sees_its_own_hour),
		TEST(one_writer_many_readers),
		TEST(reader_does_not_write),
		TEST(says_what_is_not_a_store),
		TEST(files_are_private),
		TEST(dead_readers_are_forgotten),
		TEST(a_dead_reader_keeps_no_page),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
