#include "bus/ring.h"

#include "bus/keys.h"
#include "bus_fixture.h"

#include "base/text.h"

#include <limits.h>

#define PUBLIC_1 "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
#define PUBLIC_2 "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
#define LANE "consular.case.v1"

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

static struct vl_ring *open_it(void)
{
	struct vl_ring *ring;

	assert_int_equal(VL_OK, vl_ring_open(folder.path, &ring, NULL));
	return ring;
}

static bool holds(const struct vl_ring_entry *entry, const char *lane, uint64_t epoch, uint64_t seq)
{
	return vl_ring_holds(entry, vl_bytes_of(lane), (struct vl_epoch){epoch},
			     (struct vl_seq){seq});
}

static void test_ring(void **state)
{
	char line[VL_KEY_LINE], id[32], name[64];
	struct vl_ring *ring;

	(void)state;
	for (int i = 0; i < 200; i++) {
		(void)snprintf(id, sizeof(id), "CN-%d", i);
		assert_int_equal(VL_OK, vl_key_new(folder.path, id, &seeded, line, NULL));
	}
	assert_int_equal(VL_OK, vl_ring_open(folder.path, &ring, NULL));
	assert_int_equal(200, vl_ring_count(ring));
	for (int i = 0; i < 200; i++) {
		struct vl_signer *signer;
		(void)snprintf(id, sizeof(id), "CN-%d", i);
		(void)snprintf(name, sizeof(name), "%s.key", id);
		assert_int_equal(VL_OK, vl_key_load(path_of(name), id, &signer, NULL));
		struct vl_key_id made = vl_key_id_of(vl_signer_public(signer));
		const struct vl_ring_entry *entry = vl_ring_find(ring, &made);
		assert_non_null(entry);
		assert_string_equal(entry->mission, id);
		assert_memory_equal(vl_signer_public(signer), &entry->key, 32);
		vl_signer_close(signer);
		made.bytes[15] ^= 1;
		assert_null(vl_ring_find(ring, &made));
	}
	vl_ring_close(ring);
	vl_ring_close(NULL);
}

static void test_ring_empty(void **state)
{
	struct vl_ring *ring;

	(void)state;
	assert_int_equal(VL_OK, vl_ring_open(folder.path, &ring, NULL));
	assert_int_equal(0, vl_ring_count(ring));
	assert_null(vl_ring_find(ring, &(struct vl_key_id){{0}}));
	vl_ring_close(ring);
	assert_int_equal(VL_ERR_NOT_FOUND, vl_ring_open(path_of("none"), &ring, NULL));
	assert_null(ring);
}

/* A sender may have two keys while one replaces the other; the same key twice is one. */
static void test_ring_of_one_sender(void **state)
{
	(void)state;
	fixture_write(folder.path, "HQ.pub", "HQ " PUBLIC_1 "\n", 0644);
	fixture_write(folder.path, "HQ-2024.pub", "# the new one\nHQ " PUBLIC_2 "\n", 0644);
	assert_int_equal(0, symlink("HQ.pub", path_of("HQ-link.pub")));
	fixture_write(folder.path, ".HQ.pub", "not looked at", 0644);
	fixture_write(folder.path, "HQ.pub.swp", "nor this", 0644);
	struct vl_ring *ring = open_it();
	assert_int_equal(2, vl_ring_count(ring));
	assert_null(vl_ring_fault(ring, 0));
	vl_ring_close(ring);
}

/* The first by name counts; the other is named. */
static void test_ring_of_two_senders(void **state)
{
	(void)state;
	fixture_write(folder.path, "HQ.pub", "HQ " PUBLIC_1 "\n", 0644);
	fixture_write(folder.path, "CN-SD-EMB.pub", "CN-SD-EMB " PUBLIC_1 "\n", 0644);
	struct vl_ring *ring = open_it();
	assert_int_equal(1, vl_ring_count(ring));
	assert_string_equal("CN-SD-EMB", vl_ring_at(ring, 0)->mission);
	assert_string_equal("HQ.pub: the key of HQ is enrolled for CN-SD-EMB too; make a new one",
			    vl_ring_fault(ring, 0));
	vl_ring_close(ring);
}

/* As it comes from other machines. */
static void test_ring_tolerant(void **state)
{
	const char *texts[] = {
		"HQ " PUBLIC_1,
		"HQ " PUBLIC_1 "\r\n",
		"HQ " PUBLIC_1 " \n",
		"\xef\xbb\xbfHQ " PUBLIC_1 "\n",
		" HQ \t " PUBLIC_1 "\n\n",
		"# from Cairo\r\nHQ " PUBLIC_1 "\r\n",
		"HQ D75A980182B10AB7D54BFED3C964073A0EE172F3DAA62325AF021A68F707511A\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		fixture_write(folder.path, "HQ.pub", texts[i], 0644);
		struct vl_ring *ring = open_it();
		if (vl_ring_count(ring) != 1)
			fail_msg("not taken: %s (%s)", texts[i], vl_ring_fault(ring, 0));
		assert_string_equal("HQ", vl_ring_at(ring, 0)->mission);
		vl_ring_close(ring);
	}
}

/* What cannot be used is left out and named; the others count. */
static void expect_left_out(const char *what)
{
	struct vl_ring *ring = open_it();

	if (vl_ring_count(ring) != 1 || vl_ring_fault(ring, 0) == NULL)
		fail_msg("%s: %zu keys, fault %s", what, vl_ring_count(ring),
			 vl_ring_fault(ring, 0));
	assert_string_equal("CN-SD-EMB", vl_ring_at(ring, 0)->mission);
	assert_true(vl_ring_faulty(ring, "HQ.pub"));
	assert_false(vl_ring_faulty(ring, "CN-SD-EMB.pub"));
	assert_non_null(strstr(vl_ring_fault(ring, 0), "HQ.pub: "));
	assert_null(vl_ring_fault(ring, 1));
	vl_ring_close(ring);
}

static void test_ring_broken(void **state)
{
	const char *texts[] = {
		"",
		"HQ",
		"HQ " PUBLIC_1 "x",
		"HQ " PUBLIC_1 "\nHQ " PUBLIC_2 "\n",
		"HQ " PUBLIC_1 "\nended\nuntil " LANE " x 1\n",
		"HQ " PUBLIC_1 "\nuntil " LANE " 1 1\n",
		/* The neutral element; a point of order 8; y = 2^255-19, not canonical; no point
		 * at all. */
		"HQ 0100000000000000000000000000000000000000000000000000000000000000",
		"HQ 26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
		"HQ edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"HQ 0200000000000000000000000000000000000000000000000000000000000000",
	};

	(void)state;
	fixture_write(folder.path, "CN-SD-EMB.pub", "CN-SD-EMB " PUBLIC_2 "\n", 0644);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		fixture_write(folder.path, "HQ.pub", texts[i], 0644);
		expect_left_out(texts[i]);
	}
	assert_int_equal(0, unlink(path_of("HQ.pub")));
	assert_int_equal(0, mkdir(path_of("HQ.pub"), 0700));
	expect_left_out("a folder");
	assert_int_equal(0, rmdir(path_of("HQ.pub")));
	assert_int_equal(0, symlink("nowhere", path_of("HQ.pub")));
	expect_left_out("a link to nowhere");
}

/* A key of the past is good up to its places, and nowhere else. */
static void test_ring_past(void **state)
{
	struct vl_ring_entry entry = {.mission = "CN-SD-EMB", .ended = true};
	const struct vl_key_end ends[] = {
		{LANE, {7}, {12}}, {"valise.pulse.v1", {3}, {1}}, {LANE, {7}, {11}}};

	(void)state;
	assert_true(vl_unhex(PUBLIC_1, 64, entry.key.bytes, 32));
	entry.id = vl_key_id_of(&entry.key);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(VL_OK, vl_ring_entry_end(&entry, &ends[i]));
	assert_int_equal(VL_OK, vl_ring_keep_past(folder.path, &entry, NULL));
	assert_int_equal(VL_ERR_EXISTS, vl_ring_keep_past(folder.path, &entry, NULL));
	fixture_write(folder.path, "CN-SD-EMB.pub", "CN-SD-EMB " PUBLIC_2 "\n", 0644);
	struct vl_ring *ring = open_it();
	assert_int_equal(2, vl_ring_count(ring));
	const struct vl_ring_entry *past = vl_ring_find(ring, &entry.id);
	assert_true(past->ended);
	assert_int_equal(2, past->n_ends);
	assert_true(holds(past, LANE, 7, 12));
	assert_true(holds(past, LANE, 6, 4000));
	assert_false(holds(past, LANE, 7, 13));
	assert_false(holds(past, LANE, 8, 1));
	assert_false(holds(past, "consular.alert.v1", 1, 1));
	vl_ring_close(ring);
	/* Enrolled again it signs again. */
	fixture_write(folder.path, "again.pub", "CN-SD-EMB " PUBLIC_1 "\n", 0644);
	ring = open_it();
	assert_int_equal(2, vl_ring_count(ring));
	assert_true(holds(vl_ring_find(ring, &entry.id), LANE, 8, 1));
	vl_ring_close(ring);
	free(entry.ends);
	fixture_remove(path_of("past"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_ring),
		TEST(test_ring_empty),
		TEST(test_ring_of_one_sender),
		TEST(test_ring_of_two_senders),
		TEST(test_ring_tolerant),
		TEST(test_ring_broken),
		TEST(test_ring_past),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
