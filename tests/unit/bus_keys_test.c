#include "bus/keys.h"

#include "bus_fixture.h"

#include "base/text.h"

#include <errno.h>
#include <limits.h>

#define SEED_1 "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
#define PUBLIC_1 "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"

static struct fixture_folder folder;
static uint64_t random_state = 1;
static const struct vl_rand seeded = {.fill = fixture_fill, .context = &random_state};

static int setup(void **state)
{
	(void)state;
	folder = fixture_folder();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fixture_remove(folder.path);
	return 0;
}

static const char *path_of(const char *name)
{
	static char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), "%s/%s", folder.path, name);
	return path;
}

static enum vl_err load(const char *name, const char *id, struct vl_why *why)
{
	struct vl_signer *signer;
	enum vl_err err = vl_key_load(path_of(name), id, &signer, why);

	assert_true((err == VL_OK) == (signer != NULL));
	vl_signer_close(signer);
	return err;
}

static void test_new_key(void **state)
{
	char line[VL_KEY_LINE], text[256] = {0};
	struct vl_signer *signer;
	struct stat info;

	(void)state;
	assert_int_equal(VL_OK, vl_key_new(folder.path, "CN-SD-EMB", &seeded, line, NULL));
	assert_int_equal(strlen("CN-SD-EMB ") + 64, strlen(line));
	assert_int_equal(0, stat(path_of("CN-SD-EMB.key"), &info));
	assert_int_equal(S_IFREG | 0600, info.st_mode);
	assert_int_equal(strlen(line) + 1, info.st_size);
	assert_int_equal(0, stat(path_of("CN-SD-EMB.pub"), &info));
	assert_int_equal(S_IFREG | 0600, info.st_mode);
	FILE *file = fopen(path_of("CN-SD-EMB.pub"), "r");
	assert_non_null(fgets(text, sizeof(text), file));
	(void)fclose(file);
	assert_int_equal('\n', text[strlen(line)]);
	assert_memory_equal(line, text, strlen(line));
	assert_int_equal(VL_OK, vl_key_load(path_of("CN-SD-EMB.key"), "CN-SD-EMB", &signer, NULL));
	assert_string_equal(line + strlen("CN-SD-EMB "),
			    vl_hex(vl_signer_public(signer)->bytes, 32, text));
	vl_signer_close(signer);
}

static void test_new_key_makes_its_folder(void **state)
{
	char line[VL_KEY_LINE], path[PATH_MAX];
	struct stat info;

	(void)state;
	(void)snprintf(path, sizeof(path), "%s", path_of("keys"));
	assert_int_equal(VL_OK, vl_key_new(path, "HQ", &seeded, line, NULL));
	assert_int_equal(0, stat(path, &info));
	assert_int_equal(S_IFDIR | 0700, info.st_mode);
	fixture_remove(path);
	assert_int_equal(VL_ERR_NOT_FOUND,
			 vl_key_new(path_of("no/such"), "HQ", &seeded, line, NULL));
	fixture_write(folder.path, "file", "", 0600);
	assert_int_equal(VL_ERR_IO, vl_key_new(path_of("file"), "HQ", &seeded, line, NULL));
}

/* Nothing is overwritten, and no half of a pair is left. */
static void test_new_key_exists(void **state)
{
	char line[VL_KEY_LINE], again[VL_KEY_LINE];
	struct vl_why why = {0};

	(void)state;
	assert_int_equal(VL_OK, vl_key_new(folder.path, "HQ", &seeded, line, NULL));
	assert_int_equal(VL_ERR_EXISTS, vl_key_new(folder.path, "HQ", &seeded, again, &why));
	assert_non_null(strstr(why.text, "HQ.key: is there already"));
	assert_int_equal(VL_OK, load("HQ.key", "HQ", NULL));
	assert_int_equal(0, unlink(path_of("HQ.key")));
	assert_int_equal(VL_ERR_EXISTS, vl_key_new(folder.path, "HQ", &seeded, again, &why));
	assert_non_null(strstr(why.text, "HQ.pub: is there already"));
	assert_int_equal(-1, access(path_of("HQ.key"), F_OK));
	assert_int_equal(0, access(path_of("HQ.pub"), F_OK));
}

static void test_new_key_through_a_link(void **state)
{
	char line[VL_KEY_LINE];

	(void)state;
	assert_int_equal(0, symlink("elsewhere", path_of("HQ.key")));
	assert_int_equal(VL_ERR_EXISTS, vl_key_new(folder.path, "HQ", &seeded, line, NULL));
	assert_int_equal(-1, access(path_of("elsewhere"), F_OK));
}

static void test_new_key_bad_id(void **state)
{
	const char *ids[] = {"", "H", "hq", "../HQ", "HQ/X", "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456"};
	char line[VL_KEY_LINE];

	(void)state;
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
		assert_int_equal(VL_ERR_INVALID,
				 vl_key_new(folder.path, ids[i], &seeded, line, NULL));
}

static void test_load(void **state)
{
	char hex[65];
	struct vl_signer *signer;

	(void)state;
	fixture_write(folder.path, "HQ.key", "# made 2023-04-24\n\nHQ " SEED_1, 0400);
	assert_int_equal(VL_OK, vl_key_load(path_of("HQ.key"), NULL, &signer, NULL));
	assert_string_equal(PUBLIC_1, vl_hex(vl_signer_public(signer)->bytes, 32, hex));
	vl_signer_close(signer);
}

static void test_load_permissions(void **state)
{
	const mode_t modes[] = {0640, 0604, 0660, 0620, 0602, 0777};
	struct vl_why why = {0};

	(void)state;
	fixture_write(folder.path, "HQ.key", "HQ " SEED_1 "\n", 0600);
	assert_int_equal(VL_OK, load("HQ.key", "HQ", NULL));
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		assert_int_equal(0, chmod(path_of("HQ.key"), modes[i]));
		assert_int_equal(VL_ERR_PERMISSION, load("HQ.key", "HQ", &why));
		assert_non_null(strstr(why.text, "others may use it"));
	}
	assert_int_equal(0, chmod(path_of("HQ.key"), 0600));
	if (geteuid() == 0) {
		assert_int_equal(0, chown(path_of("HQ.key"), 65534, 65534));
		assert_int_equal(VL_ERR_PERMISSION, load("HQ.key", "HQ", &why));
		assert_non_null(strstr(why.text, "belongs to uid 65534"));
	} else {
		assert_int_equal(0, chmod(path_of("HQ.key"), 0));
		assert_int_equal(VL_ERR_PERMISSION, load("HQ.key", "HQ", &why));
	}
}

static void test_load_no_plain_file(void **state)
{
	struct vl_why why = {0};

	(void)state;
	assert_int_equal(VL_ERR_NOT_FOUND, load("HQ.key", "HQ", NULL));
	fixture_write(folder.path, "real", "HQ " SEED_1 "\n", 0600);
	assert_int_equal(0, symlink("real", path_of("HQ.key")));
	assert_int_equal(VL_ERR_INVALID, load("HQ.key", "HQ", &why));
	assert_non_null(strstr(why.text, "is a symbolic link"));
	assert_int_equal(0, mkfifo(path_of("pipe"), 0600));
	assert_int_equal(VL_ERR_INVALID, load("pipe", "HQ", NULL));
	assert_int_equal(VL_ERR_INVALID, load(".", "HQ", NULL));
}

static void test_load_broken(void **state)
{
	const char *texts[] = {
		"",
		"\n",
		"# HQ " SEED_1 "\n",
		"HQ",
		"HQ ",
		"HQ\t" SEED_1,
		"HQ  " SEED_1,
		" HQ " SEED_1,
		"HQ " SEED_1 " ",
		"HQ " SEED_1 "\r\n",
		"HQ " SEED_1 "0",
		"HQ 9d61",
		"hq " SEED_1,
		SEED_1,
		"HQ " SEED_1 "\nHQ " SEED_1 "\n",
		"HQ g" SEED_1,
		"HQ " SEED_1 "\nx",
	};
	struct vl_why why = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		fixture_write(folder.path, "HQ.key", texts[i], 0600);
		if (load("HQ.key", NULL, &why) != VL_ERR_INVALID)
			fail_msg("taken: %s", texts[i]);
		assert_non_null(strstr(why.text, "HQ.key: must hold one line"));
		assert_null(strstr(why.text, "9d61")); /* no word of the key */
	}
	fixture_write(folder.path, "HQ.key", "CN-SD-EMB " SEED_1 "\n", 0600);
	assert_int_equal(VL_ERR_INVALID, load("HQ.key", "HQ", &why));
	assert_non_null(strstr(why.text, "is the key of CN-SD-EMB, not of HQ"));
}

static void test_load_too_large(void **state)
{
	char text[5000];

	(void)state;
	memset(text, '#', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	fixture_write(folder.path, "HQ.key", text, 0600);
	assert_int_equal(VL_ERR_INVALID, load("HQ.key", "HQ", NULL));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_new_key),          TEST(test_new_key_makes_its_folder),
		TEST(test_new_key_exists),   TEST(test_new_key_through_a_link),
		TEST(test_new_key_bad_id),   TEST(test_load),
		TEST(test_load_permissions), TEST(test_load_no_plain_file),
		TEST(test_load_broken),      TEST(test_load_too_large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
