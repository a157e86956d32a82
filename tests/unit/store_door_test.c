/* store/store.h: who may come in, what another version made, and how the map grows. */
#include "store_fixture.h"

#include "base/text.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define FORMAT 3
#define LARGE ((size_t)2 << 30)

static const char *const dbs[] = {"meta", "rows", NULL};
static const char *const more[] = {"meta", "rows", "new", NULL};

static struct vl_store_options options(bool read_only)
{
	return (struct vl_store_options){.path = folder,
					 .dbs = dbs,
					 .map_size = LARGE,
					 .grows = true,
					 .read_only = read_only,
					 .format_key = b("format"),
					 .format = FORMAT,
					 .format_oldest = FORMAT,
					 .older = "make it anew"};
}

static enum vl_err try_open(const struct vl_store_options *how, struct vl_store **store,
			    struct vl_why *why)
{
	*why = (struct vl_why){0};
	return vl_store_open(how, store, why);
}

static struct vl_store *open_as(const struct vl_store_options *how)
{
	struct vl_store *store;
	struct vl_why why;
	enum vl_err err = try_open(how, &store, &why);

	if (err != VL_OK)
		fail_msg("open: %s", vl_why_text(&why, err));
	return store;
}

static void put_row(struct vl_store *store, unsigned db, const char *key, struct vl_bytes value)
{
	struct vl_txn *txn = vl_txn_begin(store, true, NULL);

	assert_non_null(txn);
	vl_txn_put(txn, db, b(key), value);
	assert_int_equal(vl_txn_commit(txn, NULL), VL_OK);
}

static void put_format(struct vl_store *store, uint8_t format)
{
	put_row(store, 0, "format", (struct vl_bytes){&format, 1});
}

static struct vl_store *open_new(void)
{
	struct vl_store_options how = options(false);
	struct vl_store *store = open_as(&how);

	put_format(store, FORMAT);
	return store;
}

static int setup(void **state)
{
	(void)state;
	return make_place();
}

static void name_file(const char *name, char path[128])
{
	(void)snprintf(path, 128, "%s/%s", folder, name);
}

static void remove_file(const char *name)
{
	char path[128];

	name_file(name, path);
	assert_int_equal(unlink(path), 0);
}

/* In a process of its own: what `act` returns. */
static int apart(int (*act)(void))
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0)
		_exit(act());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int open_to_write(void)
{
	struct vl_store_options how = options(false);
	struct vl_store *store;
	struct vl_why why;
	enum vl_err err = try_open(&how, &store, &why);

	vl_store_close(store);
	return err == VL_ERR_LOCKED && strstr(why.text, "another process") == NULL ? VL_ERR_BUG
										   : (int)err;
}

static int open_to_read(void)
{
	struct vl_store_options how = options(true);
	struct vl_store *store;
	struct vl_why why;
	enum vl_err err = try_open(&how, &store, &why);

	if (err != VL_OK)
		return (int)err;
	struct vl_txn *txn = vl_txn_begin(store, false, &why);
	int result = txn == NULL ? (int)VL_ERR_BUSY : (int)vl_txn_err(txn);
	vl_txn_abort(txn);
	vl_store_close(store);
	return result;
}

/* -- one writer -- */

static void second_writer_is_refused_though_its_lock_file_was_removed(void **state)
{
	struct vl_store *store = open_new();

	(void)state;
	assert_int_equal(apart(open_to_write), VL_ERR_LOCKED);
	remove_file("writer");
	assert_int_equal(apart(open_to_write), VL_ERR_LOCKED);
	put_row(store, 1, "a", b("1"));
	vl_store_close(store);
	assert_int_equal(apart(open_to_write), VL_OK);
}

/* Whoever reads by another lock.mdb is not seen by the writer. */
static void readers_that_would_not_be_seen_are_refused(void **state)
{
	struct vl_store *store = open_new();
	struct vl_why why = {0};

	(void)state;
	assert_int_equal(apart(open_to_read), VL_OK);
	remove_file("lock.mdb");
	assert_int_equal(apart(open_to_read), VL_ERR_LOCKED);
	assert_null(vl_txn_begin(store, true, &why));
	assert_non_null(strstr(why.text, "lock.mdb"));
	vl_store_close(store);
	assert_int_equal(apart(open_to_read), VL_OK);
	assert_int_equal(apart(open_to_write), VL_OK);
}

/* Two containers with processes of their own: the first of each has number 1. */
static int read_as_number_one(void)
{
	pid_t pid;
	int status = 0;

	if (unshare(CLONE_NEWPID) != 0)
		return 100;
	pid = fork();
	if (pid == 0)
		_exit(getpid() == 1 ? open_to_read() : 101);
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : 102;
}

static int write_as_number_one(void)
{
	struct vl_store *store = open_new();
	int first = read_as_number_one();
	struct vl_txn *txn = vl_txn_begin(store, false, NULL);

	if (txn == NULL)
		return 103;
	vl_txn_abort(txn);
	vl_store_close(store);
	return first;
}

static int both_as_number_one(void)
{
	int status = 0;

	if (unshare(CLONE_NEWPID) != 0)
		return 100;
	pid_t pid = fork();
	if (pid == 0)
		_exit(write_as_number_one());
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : 102;
}

static void processes_of_one_number_read_side_by_side(void **state)
{
	int result = apart(both_as_number_one);

	(void)state;
	if (result == 100)
		skip();
	assert_int_equal(result, VL_OK);
}

/* -- who may not mark itself -- */

static int read_as_nobody(void)
{
	return setgid(65534) == 0 && setuid(65534) == 0 ? open_to_read() : 100;
}

static void another_user_is_told_what_to_allow(void **state)
{
	struct vl_store_options how = options(true);
	struct vl_store *store;
	struct vl_why why;

	(void)state;
	vl_store_close(open_new());
	if (geteuid() != 0)
		skip();
	assert_int_equal(apart(read_as_nobody), VL_ERR_PERMISSION);
	assert_int_equal(try_open(&how, &store, &why), VL_OK);
	vl_store_close(store);
}

/* In a file system that cannot be written, seen by this process alone. */
static int read_on_a_read_only_mount(void)
{
	if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount(folder, folder, NULL, MS_BIND, NULL) != 0 ||
	    mount(NULL, folder, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL) != 0)
		return 100;
	return open_to_read();
}

static void read_only_mount_is_refused_while_somebody_writes(void **state)
{
	struct vl_store *store = open_new();
	int while_written = apart(read_on_a_read_only_mount);

	(void)state;
	vl_store_close(store);
	if (while_written == 100)
		skip();
	assert_int_equal(while_written, VL_ERR_PERMISSION);
	assert_int_equal(apart(read_on_a_read_only_mount), VL_OK);
}

/* -- another version -- */

static enum vl_err open_format(uint8_t format, bool read_only, struct vl_why *why)
{
	struct vl_store_options how = options(false), as = options(read_only);
	struct vl_store *store;

	how.format = how.format_oldest = format;
	store = open_as(&how);
	put_format(store, format);
	vl_store_close(store);
	enum vl_err err = try_open(&as, &store, why);
	vl_store_close(store);
	remove_file("data.mdb");
	return err;
}

static void another_format_is_no_damage(void **state)
{
	struct vl_why why;

	(void)state;
	for (int read_only = 0; read_only < 2; read_only++) {
		assert_int_equal(open_format(FORMAT + 1, read_only, &why), VL_ERR_VERSION);
		assert_non_null(strstr(why.text, "newer"));
		assert_non_null(strstr(why.text, "leave the folder"));
		assert_int_equal(open_format(FORMAT - 1, read_only, &why), VL_ERR_VERSION);
		assert_non_null(strstr(why.text, "make it anew"));
		assert_int_equal(open_format(FORMAT, read_only, &why), VL_OK);
	}
}

static void database_more_is_another_version_and_one_less_is_damage(void **state)
{
	struct vl_store_options how = options(false), larger = how;
	struct vl_store *store;
	struct vl_why why;

	(void)state;
	larger.dbs = more;
	vl_store_close(open_new());
	assert_int_equal(try_open(&larger, &store, &why), VL_ERR_CORRUPT);
	assert_non_null(strstr(why.text, "1 of its 3 databases"));
	remove_file("data.mdb");
	store = open_as(&larger);
	put_format(store, FORMAT);
	vl_store_close(store);
	assert_int_equal(try_open(&how, &store, &why), VL_ERR_VERSION);
	assert_non_null(strstr(why.text, "'new'"));
}

static void too_many_databases_are_refused(void **state)
{
	static const char *names[140];
	static char room[140][8];
	struct vl_store_options how = options(false);
	struct vl_store *store;
	struct vl_why why;

	(void)state;
	for (size_t i = 0; i < 139; i++) {
		(void)snprintf(room[i], sizeof(room[i]), "db%zu", i);
		names[i] = room[i];
	}
	how.dbs = names;
	assert_int_equal(try_open(&how, &store, &why), VL_ERR_BUG);
	assert_non_null(strstr(why.text, "139 databases"));
}

/* -- the map -- */

static size_t mapped_by(const char *path)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[512];
	size_t size = 0, from, to;

	while (fgets(line, sizeof(line), maps) != NULL)
		if (strstr(line, path) != NULL && sscanf(line, "%zx-%zx", &from, &to) == 2)
			size += to - from;
	(void)fclose(maps);
	return size;
}

static void fill(struct vl_store *store, size_t megabytes, char mark)
{
	static char bytes[1 << 20];
	char key[32];

	memset(bytes, mark, sizeof(bytes));
	for (size_t i = 0; i < megabytes; i++) {
		(void)snprintf(key, sizeof(key), "%c%zu", mark, i);
		put_row(store, 1, key, (struct vl_bytes){(const uint8_t *)bytes, sizeof(bytes)});
	}
}

static void map_grows_with_what_is_in_it_and_readers_follow(void **state)
{
	struct vl_store_options how = options(true);
	struct vl_store *store = open_new();
	char path[128];

	(void)state;
	name_file("data.mdb", path);
	size_t first = mapped_by(path);
	assert_true(first < LARGE / 4);
	/* In a process of its own, as none may open a store twice. */
	int ready[2], go[2], status = 0;
	char byte = 'x';
	assert_int_equal(pipe(ready) + pipe(go), 0);
	pid_t pid = fork();
	if (pid == 0) {
		(void)close(go[1]);
		struct vl_store *reading = open_as(&how);
		struct vl_txn *txn = vl_txn_begin(reading, false, NULL);
		struct vl_bytes value;
		bool good = txn != NULL && mapped_by(path) - first < first &&
			    write(ready[1], &byte, 1) == 1;
		vl_txn_rest(txn);
		good = good && read(go[0], &byte, 1) == 1 && vl_txn_refresh(txn) == VL_OK &&
		       vl_txn_get(txn, 1, b("a299"), &value) && value.size == 1 << 20;
		_exit(good ? 0 : 1);
	}
	(void)close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	fill(store, 300, 'a');
	assert_true(mapped_by(path) > first);
	assert_int_equal(write(go[1], &byte, 1), 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	vl_store_close(store);
}

/* A transaction that does not fit has not happened; a larger bound is all it takes. */
static void full_map_takes_no_more_until_it_may_be_larger(void **state)
{
	struct vl_store_options how = options(false);
	struct vl_store *store;
	size_t used, room;

	(void)state;
	how.map_size = (size_t)8 << 20;
	store = open_as(&how);
	put_format(store, FORMAT);
	struct vl_txn *txn = vl_txn_begin(store, true, NULL);
	uint8_t *large = calloc(1, (size_t)16 << 20);
	vl_txn_put(txn, 1, b("large"), (struct vl_bytes){large, (size_t)16 << 20});
	assert_int_equal(vl_txn_commit(txn, NULL), VL_ERR_FULL);
	vl_store_usage(store, &used, &room);
	assert_true(room <= how.map_size);
	put_row(store, 1, "small", b("1"));
	vl_store_close(store);
	how.map_size = LARGE;
	store = open_as(&how);
	put_row(store, 1, "large", (struct vl_bytes){large, (size_t)16 << 20});
	vl_store_close(store);
	free(large);
}

static int open_with_little_address_space(void)
{
	struct rlimit space = {(rlim_t)4 << 30, (rlim_t)4 << 30};
	struct vl_store_options how = options(false);
	struct vl_store *store;
	struct vl_why why;

	how.map_size = (size_t)1 << 40;
	if (setrlimit(RLIMIT_AS, &space) != 0)
		return 100;
	enum vl_err err = try_open(&how, &store, &why);
	if (err != VL_OK)
		return 1;
	vl_store_close(store);
	how.grows = false;
	err = try_open(&how, &store, &why);
	return err == VL_ERR_NOMEM && strstr(why.text, "ulimit -v") != NULL ? 0 : 2;
}

static void large_bound_needs_no_address_space(void **state)
{
	(void)state;
	vl_store_close(open_new());
#if defined(__SANITIZE_ADDRESS__)
	skip(); /* it reserves terabytes for itself */
#endif
	assert_int_equal(apart(open_with_little_address_space), 0);
}

/* -- a writer that goes on while a reader opens -- */

static int to_writer[2], from_writer[2];
static bool in_between;

static void let_writer_go_on(void)
{
	char byte = 'x';

	assert_int_equal(write(to_writer[1], &byte, 1), 1);
	assert_int_equal(read(from_writer[0], &byte, 1), 1);
}

int __real_mdb_env_open(void *env, const char *path, unsigned flags, unsigned mode);
int __wrap_mdb_env_open(void *env, const char *path, unsigned flags, unsigned mode);
int __wrap_mdb_env_open(void *env, const char *path, unsigned flags, unsigned mode)
{
	int rc = __real_mdb_env_open(env, path, flags, mode);

	if (in_between) {
		in_between = false;
		let_writer_go_on();
	}
	return rc;
}

/* A few rows, then many more each time it is let go on. */
static int write_in_turns(void)
{
	struct vl_bytes bytes = {calloc(1, 1 << 20), 1 << 20};
	struct vl_store *store = open_new();
	char byte, key[] = "a";

	(void)close(to_writer[1]);
	while (read(to_writer[0], &byte, 1) == 1) {
		put_row(store, 1, key, bytes);
		key[0]++;
		if (write(from_writer[1], &byte, 1) != 1)
			break;
	}
	vl_store_close(store);
	free((void *)(uintptr_t)bytes.data);
	return 0;
}

/* What was written since the reader looked how long the file is, is no damage. */
static void a_reader_follows_a_writer_while_it_opens(void **state)
{
	struct vl_store_options how = options(true);
	int status;

	(void)state;
	assert_int_equal(pipe2(to_writer, O_CLOEXEC) + pipe2(from_writer, O_CLOEXEC), 0);
	pid_t pid = fork();
	if (pid == 0)
		_exit(write_in_turns());
	let_writer_go_on();
	in_between = true;
	struct vl_store *store = open_as(&how);
	assert_false(in_between);
	struct vl_txn *txn = vl_txn_begin(store, false, NULL);
	assert_non_null(txn);
	assert_true(vl_txn_get(txn, 1, b("b"), NULL));
	vl_txn_abort(txn);
	vl_store_close(store);
	(void)close(to_writer[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	(void)close(to_writer[0]), (void)close(from_writer[0]), (void)close(from_writer[1]);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_reader_follows_a_writer_while_it_opens),
		TEST(second_writer_is_refused_though_its_lock_file_was_removed),
		TEST(readers_that_would_not_be_seen_are_refused),
		TEST(processes_of_one_number_read_side_by_side),
		TEST(another_user_is_told_what_to_allow),
		TEST(read_only_mount_is_refused_while_somebody_writes),
		TEST(another_format_is_no_damage),
		TEST(database_more_is_another_version_and_one_less_is_damage),
		TEST(too_many_databases_are_refused),
		TEST(map_grows_with_what_is_in_it_and_readers_follow),
		TEST(full_map_takes_no_more_until_it_may_be_larger),
		TEST(large_bound_needs_no_address_space),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
