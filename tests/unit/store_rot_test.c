/* store/store.h: rows that rotted on the disk, files that were cut short. */
#include "store_fixture.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROWS 40

static const char *const dbs[] = {"one", "twin", "plain", NULL};
static char file[80];

static enum vl_err try_open(bool read_only, struct vl_store **store, struct vl_why *why)
{
	struct vl_store_options options = {.path = folder,
					   .dbs = dbs,
					   .unchecked = 4,
					   .map_size = MAP,
					   .read_only = read_only};

	return vl_store_open(&options, store, why);
}

static struct vl_store *open_store(bool read_only)
{
	struct vl_store *store;
	struct vl_why why = {0};
	enum vl_err err = try_open(read_only, &store, &why);

	if (err != VL_OK)
		fail_msg("open: %s", vl_why_text(&why, err));
	return store;
}

/* Rows key-00 to key-39 in each database. */
static int setup(void **state)
{
	char key[32], value[32];

	(void)state;
	if (make_place() != 0)
		return -1;
	(void)snprintf(file, sizeof(file), "%s/data.mdb", folder);
	struct vl_store *store = open_store(false);
	struct vl_txn *txn = vl_txn_begin(store, true, NULL);
	for (unsigned db = 0; db < 3; db++)
		for (unsigned i = 0; i < ROWS; i++) {
			(void)snprintf(key, sizeof(key), "key-%02u", i);
			(void)snprintf(value, sizeof(value), "%s value-%02u", dbs[db], i);
			vl_txn_put(txn, db, b(key), b(value));
		}
	assert_int_equal(vl_txn_commit(txn, NULL), VL_OK);
	vl_store_close(store);
	return 0;
}

/* Turn a bit of the byte at `offset` behind each place in the file where `text` stands, or stood
 * in an older page. */
static void rot(const char *text, size_t offset)
{
	static uint8_t bytes[MAP];
	size_t size = strlen(text), turned = 0;
	int fd = open(file, O_RDWR | O_CLOEXEC);
	ssize_t n = pread(fd, bytes, sizeof(bytes), 0);

	assert_true(fd >= 0 && n > 0);
	for (size_t at = 0; at + size <= (size_t)n; at++)
		if (memcmp(bytes + at, text, size) == 0) {
			uint8_t byte = bytes[at + offset] ^ 1;
			assert_int_equal(pwrite(fd, &byte, 1, (off_t)(at + offset)), 1);
			turned++;
		}
	assert_int_equal(close(fd), 0);
	assert_true(turned > 0);
}

static void a_row_that_rotted_is_corrupt_by_name(void **state)
{
	(void)state;
	rot("one value-07", 5);
	struct vl_store *store = open_store(true);
	struct vl_txn *txn = vl_txn_begin(store, false, NULL);
	struct vl_why why = {0};
	struct vl_bytes value;

	assert_true(vl_txn_get(txn, 0, b("key-06"), &value));
	assert_int_equal(vl_txn_find(txn, 0, b("key-07"), &value), VL_ERR_CORRUPT);
	assert_int_equal(vl_txn_err(txn), VL_OK);
	assert_int_equal(vl_txn_find(txn, 0, b("key-08"), &value), VL_OK);
	assert_int_equal(vl_txn_find(txn, 0, b("key-99"), &value), VL_ERR_NOT_FOUND);
	assert_int_equal(vl_txn_find(txn, 1, b("key-07"), &value), VL_OK);
	assert_false(vl_txn_get(txn, 0, b("key-07"), &value));
	assert_int_equal(vl_txn_explain(txn, &why), VL_ERR_CORRUPT);
	assert_non_null(strstr(why.text, "'one'"));
	assert_null(strstr(why.text, "value"));
	vl_txn_abort(txn);
	vl_store_close(store);
}

/* A database that says it needs no words has none. */
static void an_unchecked_row_is_the_callers_business(void **state)
{
	(void)state;
	rot("plain value-07", 5);
	struct vl_store *store = open_store(true);
	struct vl_txn *txn = vl_txn_begin(store, false, NULL);
	struct vl_bytes value;

	assert_true(vl_txn_get(txn, 2, b("key-07"), &value));
	assert_int_equal(value.size, strlen("plain value-07"));
	vl_txn_abort(txn);
	vl_store_close(store);
}

/* Each bit of a key: it is not there any more, but nobody is told that it never was; nor are
 * others in doubt. */
static void a_key_that_rotted_is_not_forgotten(void **state)
{
	(void)state;
	for (size_t at = 0; at < strlen("key-23"); at++) {
		rot("key-23one", at);
		struct vl_store *store = open_store(true);
		struct vl_txn *txn = vl_txn_begin(store, false, NULL);
		assert_int_equal(vl_txn_find(txn, 0, b("key-23"), NULL), VL_ERR_CORRUPT);
		assert_int_equal(vl_txn_find(txn, 0, b("key-22"), NULL), VL_OK);
		assert_int_equal(vl_txn_find(txn, 0, b("key-24"), NULL), VL_OK);
		assert_int_equal(vl_txn_find(txn, 0, b("key-22a"), NULL), VL_ERR_NOT_FOUND);
		struct vl_cursor *cursor = vl_cursor_open(txn, 0);
		assert_false(vl_cursor_seek(cursor, b("key-23"), NULL, NULL));
		assert_int_equal(vl_txn_err(txn), VL_ERR_CORRUPT);
		vl_cursor_close(cursor);
		vl_txn_abort(txn);
		vl_store_close(store);
		char now[16] = "key-23one";
		now[at] ^= 1;
		rot(now, at);
	}
}

/* The word is of the key and the database too. */
static void a_value_elsewhere_is_corrupt(void **state)
{
	(void)state;
	struct vl_store_options options = {
		.path = folder, .dbs = dbs, .unchecked = 7, .map_size = MAP};
	struct vl_store *store;
	struct vl_bytes raw;
	uint8_t copy[64];

	assert_int_equal(vl_store_open(&options, &store, NULL), VL_OK);
	struct vl_txn *txn = vl_txn_begin(store, true, NULL);
	assert_true(vl_txn_get(txn, 0, b("key-01"), &raw));
	assert_true(raw.size < sizeof(copy));
	memcpy(copy, raw.data, raw.size);
	vl_txn_put(txn, 0, b("key-02"), (struct vl_bytes){copy, raw.size});
	vl_txn_put(txn, 1, b("key-01"), (struct vl_bytes){copy, raw.size});
	vl_txn_put(txn, 1, b("key-03"), b("abc"));
	assert_int_equal(vl_txn_commit(txn, NULL), VL_OK);
	vl_store_close(store);
	store = open_store(true);
	txn = vl_txn_begin(store, false, NULL);
	assert_int_equal(vl_txn_find(txn, 0, b("key-01"), NULL), VL_OK);
	assert_int_equal(vl_txn_find(txn, 0, b("key-02"), NULL), VL_ERR_CORRUPT);
	assert_int_equal(vl_txn_find(txn, 1, b("key-01"), NULL), VL_ERR_CORRUPT);
	assert_int_equal(vl_txn_find(txn, 1, b("key-03"), NULL), VL_ERR_CORRUPT);
	vl_txn_abort(txn);
	vl_store_close(store);
}

static void count(void *context, struct vl_bytes key)
{
	assert_true(key.size > 0);
	++*(unsigned *)context;
}

static void a_walk_can_pass_over_what_rotted(void **state)
{
	(void)state;
	rot("one value-11", 5);
	rot("key-12one", 3);
	struct vl_store *store = open_store(true);
	struct vl_txn *txn = vl_txn_begin(store, false, NULL);
	struct vl_cursor *cursor = vl_cursor_open(txn, 0);
	struct vl_bytes key, value, all = {0};
	unsigned told = 0, seen = 0;

	vl_cursor_pass_over(cursor, all, count, &told);
	for (bool more = vl_cursor_seek(cursor, all, &key, &value); more;
	     more = vl_cursor_next(cursor, &key, &value))
		seen++;
	assert_int_equal(seen, ROWS - 2);
	assert_int_equal(told, 2);
	told = seen = 0;
	vl_cursor_pass_over(cursor, b("key-12"), count, &told);
	for (bool more = vl_cursor_seek(cursor, b("key-12"), &key, NULL);
	     more && vl_key_has_prefix(key, b("key-12")); more = vl_cursor_next(cursor, &key, NULL))
		seen++;
	assert_int_equal(seen, 0);
	assert_int_equal(told, 1);
	assert_int_equal(vl_txn_err(txn), VL_OK);
	vl_cursor_close(cursor);
	cursor = vl_cursor_open(txn, 0);
	for (bool more = vl_cursor_last(cursor, &key, NULL); more;
	     more = vl_cursor_prev(cursor, &key, NULL))
		;
	assert_int_equal(vl_txn_err(txn), VL_ERR_CORRUPT);
	vl_cursor_close(cursor);
	vl_txn_abort(txn);
	vl_store_close(store);
}

/* Else a new and empty database of the right name would be made in its stead. */
static void a_name_that_rotted_is_no_new_database(void **state)
{
	struct vl_store *store;
	struct vl_why why = {0};

	(void)state;
	rot("twin", 0);
	/* The rows of that database have the word in them as well, but they are not looked at
	 * here. */
	assert_int_equal(try_open(false, &store, &why), VL_ERR_CORRUPT);
	assert_int_equal(try_open(true, &store, &why), VL_ERR_CORRUPT);
	assert_non_null(strstr(why.text, "damaged"));
}

static void a_file_cut_short_is_refused_as_it_is(void **state)
{
	struct stat whole, now;
	struct vl_store *store;

	(void)state;
	assert_int_equal(stat(file, &whole), 0);
	for (off_t size = whole.st_size - 512; size >= 0; size -= 512) {
		struct vl_why why = {0};
		assert_int_equal(truncate(file, size), 0);
		enum vl_err err = try_open(size % 1024 == 0, &store, &why);
		if (err != VL_ERR_CORRUPT)
			fail_msg("%lld bytes: %s", (long long)size, vl_why_text(&why, err));
		assert_int_equal(stat(file, &now), 0);
		assert_int_equal(now.st_size, size);
	}
}

/* LMDB does not write pages that were taken and given back at once: such a file is shorter, and
 * nothing is wrong. */
static void a_file_without_its_free_end_is_opened(void **state)
{
	static uint8_t big[100000];
	struct stat whole;

	(void)state;
	assert_int_equal(stat(file, &whole), 0);
	struct vl_store *store = open_store(false);
	struct vl_txn *txn = vl_txn_begin(store, true, NULL);
	vl_txn_put(txn, 2, b("zz"), (struct vl_bytes){big, sizeof(big)});
	assert_int_equal(vl_txn_commit(txn, NULL), VL_OK);
	txn = vl_txn_begin(store, true, NULL);
	assert_true(vl_txn_delete(txn, 2, b("zz")));
	assert_int_equal(vl_txn_commit(txn, NULL), VL_OK);
	vl_store_close(store);
	struct stat grown;
	assert_int_equal(stat(file, &grown), 0);
	assert_true(grown.st_size > whole.st_size + 90000);
	/* Of the big value's pages, and of those written since, some are at the end: cut into
	 * the free ones only. */
	off_t size = grown.st_size;
	struct vl_why why = {0};
	enum vl_err err = VL_OK;
	for (; err == VL_OK && size > whole.st_size; size -= 4096) {
		assert_int_equal(truncate(file, size), 0);
		err = try_open(false, &store, &why);
		if (err != VL_OK)
			break;
		txn = vl_txn_begin(store, false, NULL);
		assert_true(vl_txn_get(txn, 0, b("key-39"), NULL));
		vl_txn_abort(txn);
		vl_store_close(store);
		assert_int_equal(stat(file, &grown), 0);
		assert_true(grown.st_size > whole.st_size + 90000);
	}
	if (err != VL_OK)
		assert_non_null(strstr(why.text, "cut short"));
}

/* One line and a plain end, whatever is under way. */
static void a_page_that_is_gone_ends_the_process(void **state)
{
	char said[512] = "";
	int ends[2], status;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	pid_t pid = fork();
	if (pid == 0) {
		(void)dup2(ends[1], STDERR_FILENO);
		vl_store_guard("rot_test");
		struct vl_store *store = open_store(true);
		struct vl_txn *txn = vl_txn_begin(store, false, NULL);
		if (truncate(file, 8192) != 0)
			_exit(9);
		(void)vl_txn_get(txn, 0, b("key-01"), NULL);
		_exit(8);
	}
	assert_int_equal(close(ends[1]), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 1);
	assert_true(read(ends[0], said, sizeof(said) - 1) > 0);
	assert_ptr_equal(strstr(said, "rot_test: a page of the store's file cannot be read"), said);
	assert_int_equal(close(ends[0]), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_row_that_rotted_is_corrupt_by_name),
		TEST(an_unchecked_row_is_the_callers_business),
		TEST(a_key_that_rotted_is_not_forgotten),
		TEST(a_value_elsewhere_is_corrupt),
		TEST(a_walk_can_pass_over_what_rotted),
		TEST(a_name_that_rotted_is_no_new_database),
		TEST(a_file_cut_short_is_refused_as_it_is),
		TEST(a_file_without_its_free_end_is_opened),
		TEST(a_page_that_is_gone_ends_the_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
