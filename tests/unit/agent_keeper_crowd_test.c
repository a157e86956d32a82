/* agent/keeper.h, listen.h: programs that are many, slow, greedy, strangers or noise; the others
 * are served all the same. */
#include "agent_house.h"

#include "agent/listen.h"

static void frames_come_in_any_pieces(void **state)
{
	struct house *house = *state;
	int fd = house_dial(house);
	struct vl_buf all = {0}, request;
	uint64_t seed = fixture_seed();

	for (uint64_t n = 1; n <= 40; n++) {
		request_open(&request, n);
		request_add(&request, n, CASE_TYPE, n % 10 == 0 ? 200000 : n * 7);
		request_close(&request);
		vl_buf_put(&all, request.data, request.size);
		vl_buf_free(&request);
	}
	for (size_t at = 0; at < all.size;) {
		size_t piece = 1 + fixture_next(&seed) % (fixture_next(&seed) % 2 ? 20 : 60000);
		piece = piece < all.size - at ? piece : all.size - at;
		house_send(house, fd, all.data + at, piece);
		at += piece;
		if (fixture_next(&seed) % 2)
			house_step(house);
	}
	for (uint64_t n = 1; n <= 40; n++)
		house_accepted(house, fd, n, n, false);
	vl_buf_free(&all);
	(void)close(fd);
}

/* More clients with big frames than there are big buffers: each has its turn. */
static void big_frames_take_turns(void **state)
{
	struct house *house = *state;
	int fds[8];
	struct vl_buf requests[8];
	size_t sent[8] = {0};
	unsigned left = 8;

	for (int i = 0; i < 8; i++) {
		fds[i] = house_dial(house);
		request_open(&requests[i], (uint64_t)i);
		request_add(&requests[i], (uint64_t)i + 1, CASE_TYPE, 800000);
		request_close(&requests[i]);
	}
	for (int round = 0; left > 0 && round < 100000; round++) {
		left = 0;
		for (int i = 0; i < 8; i++) {
			size_t rest = requests[i].size - sent[i];
			ssize_t got = rest == 0 ? 0
						: send(fds[i], requests[i].data + sent[i],
						       rest < 50000 ? rest : 50000,
						       MSG_DONTWAIT | MSG_NOSIGNAL);
			sent[i] += got > 0 ? (size_t)got : 0;
			left += sent[i] < requests[i].size;
		}
		house_step(house);
	}
	assert_int_equal(left, 0);
	for (int i = 0; i < 8; i++) {
		FREE(house_answer(house, fds[i]));
		vl_buf_free(&requests[i]);
		(void)close(fds[i]);
	}
	assert_int_equal(house_stored(house), 8);
}

/* A program that sends and never reads is not read any more; others go on; and once it reads,
 * all is answered. */
static void answers_that_pile_up_stop_the_reading(void **state)
{
	struct house *house = *state;
	int fd = house_dial(house), other = house_dial(house);
	struct vl_buf request;
	uint64_t asked = 0;

	request_open(&request, 1);
	for (int i = 0; i < 1000; i++)
		vl_wire_put_bytes(&request, 2, "", 0);
	request_close(&request);
	for (int idle = 0; idle < 50;) {
		if (asked % request.size == 0 || idle > 0)
			house_step(house);
		ssize_t sent =
			send(fd, request.data + asked % request.size,
			     request.size - asked % request.size, MSG_DONTWAIT | MSG_NOSIGNAL);
		idle = sent < 0 ? idle + 1 : 0;
		asked += sent > 0 ? (uint64_t)sent : 0;
		assert_true(asked < (uint64_t)100 << 20);
	}
	assert_true(vl_keeper_timeout(house->keeper) != 0);
	house_ask_one(house, other, 2, 1, CASE_TYPE, 10);
	house_accepted(house, other, 2, 1, false);
	for (uint64_t i = 0; i < asked / request.size; i++) {
		Valise__V1__PublishResponse *response = house_answer(house, fd);
		assert_int_equal(response->n_results, 1000);
		FREE(response);
	}
	vl_buf_free(&request);
	(void)close(fd);
	(void)close(other);
}

static void strangers_are_told_and_turned_away(void **state)
{
	struct house *house = *state;

	house->users[0] = geteuid() + 1;
	int fd = house_dial(house);
	(void)!write(fd, "\0\0\0\0", 4);
	house_refused(house, fd, 0, INVALID, "[socket] users");
	assert_true(house_closed(house, fd));
	house->users[0] = geteuid();
	(void)close(fd);
	assert_int_equal(house_stored(house), 0);
}

/* Each is in the middle of something. */
static void too_many_are_told(void **state)
{
	struct house *house = *state;
	int fds[VL_KEEPER_CLIENTS + 1];
	struct vl_buf request;

	request_open(&request, 1);
	request_add(&request, 1, CASE_TYPE, 10);
	request_close(&request);
	for (int i = 0; i < VL_KEEPER_CLIENTS; i++) {
		fds[i] = house_dial(house);
		house_send(house, fds[i], request.data, request.size - 1);
		house_settle(house);
	}
	fds[VL_KEEPER_CLIENTS] = house_dial(house);
	house_refused(house, fds[VL_KEEPER_CLIENTS], 0, INVALID, "128");
	house_send(house, fds[0], request.data + request.size - 1, 1);
	house_accepted(house, fds[0], 1, 1, false);
	vl_buf_free(&request);
	for (int i = 0; i <= VL_KEEPER_CLIENTS; i++)
		(void)close(fds[i]);
	house_settle(house);
	fds[0] = house_dial(house);
	house_ask_one(house, fds[0], 2, 2, CASE_TYPE, 10);
	house_accepted(house, fds[0], 2, 2, false);
	(void)close(fds[0]);
}

/* Whoever has nothing under way gives way, the one that has not moved for longest; nobody else
 * does. */
static void idle_ones_give_way(void **state)
{
	struct house *house = *state;
	int fds[VL_KEEPER_CLIENTS], more[8];

	for (int i = 0; i < VL_KEEPER_CLIENTS; i++) {
		fds[i] = house_dial(house);
		house_settle(house);
		/* So that it is later than the one before. */
		for (int64_t now = vl_monotonic_ms(); vl_monotonic_ms() == now;)
			;
	}
	house_send(house, fds[0], "\0\0\1", 3);
	house_settle(house);
	for (int i = 0; i < 8; i++) {
		more[i] = house_dial(house);
		house_ask_one(house, more[i], 1, (uint64_t)i + 1, FLASH_TYPE, 10);
		Valise__V1__PublishResponse *response = house_answer(house, more[i]);
		(void)result_taken(response->results[0]);
		FREE(response);
	}
	assert_false(house_closed(house, fds[0]));
	for (int i = 1; i <= 8; i++)
		assert_true(house_closed(house, fds[i]));
	assert_false(house_closed(house, fds[9]));
	for (int i = 0; i < VL_KEEPER_CLIENTS; i++)
		(void)close(fds[i]);
	for (int i = 0; i < 8; i++)
		(void)close(more[i]);
	assert_int_equal(house_stored(house), 8);
}

/* Programs that never stop sending: each has its piece of every commit, and what is urgent is in
 * the very next one. */
static void nobody_waits_behind_a_flood(void **state)
{
	enum { FLOODS = 24 };
	struct house *house = *state;
	int floods[FLOODS], flash;
	size_t sent[FLOODS] = {0};
	struct vl_buf request;

	request_open(&request, 7);
	for (uint64_t n = 0; n < 400; n++)
		request_add(&request, 0, CASE_TYPE, 500);
	request_close(&request);
	for (int i = 0; i < FLOODS; i++)
		floods[i] = house_dial(house);
	flash = house_dial(house);
	house_settle(house);
	for (unsigned steps = 0, asked = 0, answered = 0; answered < 20; steps++) {
		for (int i = 0; i < FLOODS; i++) {
			ssize_t got = send(floods[i], request.data + sent[i] % request.size,
					   request.size - sent[i] % request.size,
					   MSG_DONTWAIT | MSG_NOSIGNAL);
			sent[i] += got > 0 ? (size_t)got : 0;
		}
		if (asked == answered) {
			struct vl_buf one;
			request_open(&one, asked++);
			request_add(&one, 5000 + asked, FLASH_TYPE, 10);
			request_close(&one);
			assert_int_equal(send(flash, one.data, one.size, MSG_NOSIGNAL),
					 (ssize_t)one.size);
			vl_buf_free(&one);
			steps = 0;
		}
		house_step(house);
		uint8_t answer[512];
		if (recv(flash, answer, sizeof(answer), MSG_DONTWAIT) > 0)
			answered++;
		/* Read in this step, stored by this one or the next, answered when that has
		 * landed. */
		assert_true(steps <= 4);
		for (int i = 0; i < FLOODS; i++) {
			uint8_t some[4096];
			while (recv(floods[i], some, sizeof(some), MSG_DONTWAIT) > 0)
				;
		}
	}
	/* Nobody got much less than another. */
	for (int i = 0; i < FLOODS; i++)
		assert_true(sent[i] > request.size / 2);
	for (int i = 0; i < FLOODS; i++)
		(void)close(floods[i]);
	(void)close(flash);
	vl_buf_free(&request);
}

/* Random bytes, whole or cut, from several programs at once: no crash, and a well-behaved one is
 * served. */
static void noise_does_no_harm(void **state)
{
	struct house *house = *state;
	uint64_t seed = fixture_seed();
	int good = house_dial(house);

	for (uint64_t round = 1; round <= 200; round++) {
		uint8_t noise[600];
		int fd = house_dial(house);
		size_t size = fixture_next(&seed) % sizeof(noise);
		fixture_fill(&seed, noise, sizeof(noise));
		if (fixture_next(&seed) % 2) {
			/* Within a frame, and with the tag of an event in front. */
			vl_put_be32(noise, (uint32_t)(size > 4 ? size - 4 : 0));
			noise[4] = 0x12;
			noise[5] = (uint8_t)(fixture_next(&seed) % 2 ? size - 6 : noise[5]);
		}
		house_send(house, fd, noise, size);
		if (fixture_next(&seed) % 2)
			house_step(house);
		(void)close(fd);
		house_ask_one(house, good, round, round, CASE_TYPE, 10);
		house_accepted(house, good, round, round, false);
	}
	assert_int_equal(house_stored(house), 200);
	(void)close(good);
}

static void socket_is_private_and_replaced(void **state)
{
	struct house *house = *state;
	struct stat found;
	struct vl_why why = {0};
	int fd;

	assert_int_equal(stat(house->path, &found), 0);
	assert_int_equal(found.st_mode & 0777, 0600);
	assert_int_equal(vl_listen(house->path, false, &fd, &why), VL_ERR_LOCKED);
	assert_int_equal(fd, -1);
	vl_keeper_close(house->keeper);
	house->keeper = NULL;
	(void)close(house->listener);
	assert_int_equal(vl_listen(house->path, true, &house->listener, &why), VL_OK);
	assert_int_equal(stat(house->path, &found), 0);
	assert_int_equal(found.st_mode & 0777, 0666);
	fixture_write(house->world->folder.path, "file", "x", 0600);
	char other[320];
	(void)snprintf(other, sizeof(other), "%s/file", house->world->folder.path);
	assert_int_equal(vl_listen(other, false, &fd, &why), VL_ERR_CONFIG);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, house_setup, house_teardown)
	const struct CMUnitTest tests[] = {
		TEST(frames_come_in_any_pieces),
		TEST(big_frames_take_turns),
		TEST(answers_that_pile_up_stop_the_reading),
		TEST(strangers_are_told_and_turned_away),
		TEST(too_many_are_told),
		TEST(idle_ones_give_way),
		TEST(nobody_waits_behind_a_flood),
		TEST(noise_does_no_harm),
		TEST(socket_is_private_and_replaced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
