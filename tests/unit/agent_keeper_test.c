/* agent/keeper.h: what programs on the socket are told, whatever they send and however they go. */
#include "agent_receipt.h"

#include "agent/frame.h"
#include "agent/keeper.h"
#include "agent/listen.h"
#include "agent/pipe.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

struct house {
	struct world *world;
	struct vl_keeper *keeper;
	struct vl_ring *ring;
	int listener;
	uid_t users[1];
	char path[300];
};

static int house_setup(void **state)
{
	struct house *house = calloc(1, sizeof(*house));
	void *world;

	assert_non_null(house);
	assert_int_equal(world_setup(&world), 0);
	house->world = world;
	world_open(house->world);
	house->users[0] = geteuid();
	(void)snprintf(house->path, sizeof(house->path), "%s/socket", house->world->folder.path);
	assert_int_equal(vl_listen(house->path, false, &house->listener, NULL), VL_OK);
	house->ring = receipt_ring();
	struct vl_keeper_options options = {house->world->outbox, house->listener, house->users, 1, house->ring, NULL};
	assert_int_equal(vl_keeper_open(&options, &house->keeper, NULL), VL_OK);
	*state = house;
	return 0;
}

static int house_teardown(void **state)
{
	struct house *house = *state;
	void *world = house->world;

	vl_keeper_close(house->keeper);
	vl_ring_close(house->ring);
	(void)close(house->listener);
	(void)unlink(house->path);
	(void)world_teardown(&world);
	free(house);
	return 0;
}

/* -- a program -- */

static int dial(struct house *house)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_true(strlen(house->path) < sizeof(address.sun_path));
	(void)strcpy(address.sun_path, house->path);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static void step(struct house *house)
{
	assert_int_equal(vl_keeper_step(house->keeper, NULL), VL_OK);
}

/* A few rounds: connect, read, answer. */
static void settle(struct house *house)
{
	for (int i = 0; i < 4; i++)
		step(house);
}

static void request_open(struct vl_buf *request, uint64_t tag)
{
	*request = (struct vl_buf){0};
	(void)vl_buf_add(request, VL_FRAME_HEAD);
	vl_wire_put_varint(request, 1, tag);
}

static void request_add(struct vl_buf *request, uint64_t n, const char *type, size_t extra)
{
	struct vl_buf event = {0};
	struct vl_bytes bytes = world_event(&event, n, type, extra);

	vl_wire_put_bytes(request, 2, bytes.data, bytes.size);
	vl_buf_free(&event);
}

static void request_close(struct vl_buf *request)
{
	vl_put_be32(request->data, (uint32_t)(request->size - VL_FRAME_HEAD));
}

static void send_all(struct house *house, int fd, const void *bytes, size_t count)
{
	const uint8_t *at = bytes;

	while (count > 0) {
		ssize_t sent = send(fd, at, count, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (sent < 0)
			step(house);
		else
			at += sent, count -= (size_t)sent;
	}
}

static void ask(struct house *house, int fd, struct vl_buf *request)
{
	request_close(request);
	send_all(house, fd, request->data, request->size);
	vl_buf_free(request);
}

static void ask_one(struct house *house, int fd, uint64_t tag, uint64_t n, const char *type, size_t extra)
{
	struct vl_buf request;

	request_open(&request, tag);
	request_add(&request, n, type, extra);
	ask(house, fd, &request);
}

static void receive(struct house *house, int fd, void *bytes, size_t count)
{
	uint8_t *at = bytes;

	for (int tries = 0; count > 0; tries++) {
		ssize_t got = recv(fd, at, count, MSG_DONTWAIT);
		struct pollfd keeper = {.fd = vl_keeper_fd(house->keeper), .events = POLLIN};
		if (got > 0)
			at += got, count -= (size_t)got;
		else if (poll(&keeper, 1, tries > 10 ? 10 : 0) >= 0)
			step(house);
		assert_true(got != 0);
		assert_true(tries < 1000 || count == 0);
	}
}

/* The next response, unpacked; the caller frees it. */
static Valise__V1__PublishResponse *answer(struct house *house, int fd)
{
	uint8_t head[4];

	receive(house, fd, head, sizeof(head));
	uint32_t size = vl_get_be32(head);
	assert_in_range(size, 0, VL_FRAME_MAX);
	uint8_t *bytes = malloc(size + 1);
	assert_non_null(bytes);
	receive(house, fd, bytes, size);
	struct vl_why why = {0};
	if (vl_wire_check(&valise__v1__publish_response__descriptor, (struct vl_bytes){bytes, size}, false, &why) !=
	    VL_OK)
		fail_msg("%s", why.text);
	Valise__V1__PublishResponse *response = valise__v1__publish_response__unpack(NULL, size, bytes);
	assert_non_null(response);
	free(bytes);
	return response;
}

/* The outcome, which must be of that kind: the two share a union. */
static const Valise__V1__Accepted *taken(const Valise__V1__PublishResult *result)
{
	if (result->outcome_case != VALISE__V1__PUBLISH_RESULT__OUTCOME_ACCEPTED)
		fail_msg("%s", result->refused->reason);
	return result->accepted;
}

static const Valise__V1__Refused *not_taken(const Valise__V1__PublishResult *result)
{
	assert_int_equal(result->outcome_case, VALISE__V1__PUBLISH_RESULT__OUTCOME_REFUSED);
	return result->refused;
}

#define FREE(response) valise__v1__publish_response__free_unpacked(response, NULL)

/* The next response has one result, a refusal of this cause whose reason says `word`. */
static void refused(struct house *house, int fd, uint64_t tag, Valise__V1__RefusedCause cause, const char *word)
{
	Valise__V1__PublishResponse *response = answer(house, fd);

	assert_int_equal(response->tag, tag);
	assert_int_equal(response->n_results, 1);
	const Valise__V1__Refused *r = not_taken(response->results[0]);
	assert_int_equal(r->cause, cause);
	if (strstr(r->reason, word) == NULL)
		fail_msg("'%s' is not in: %s", word, r->reason);
	FREE(response);
}

static void accepted(struct house *house, int fd, uint64_t tag, uint64_t event, bool duplicate)
{
	Valise__V1__PublishResponse *response = answer(house, fd);

	assert_int_equal(response->tag, tag);
	assert_int_equal(response->n_results, 1);
	const Valise__V1__Accepted *a = taken(response->results[0]);
	assert_int_equal(a->id.len, 16);
	assert_string_equal(a->lane, CASE_LANE);
	assert_int_equal(a->epoch, NOW);
	assert_int_equal(a->event, event);
	assert_int_equal(a->duplicate, duplicate);
	FREE(response);
}

static bool closed(struct house *house, int fd)
{
	char byte;

	settle(house);
	/* Reset where what the program had sent was never read. */
	ssize_t got = recv(fd, &byte, 1, MSG_DONTWAIT);
	return got == 0 || (got < 0 && errno == ECONNRESET);
}

static unsigned stored(struct house *house)
{
	struct vl_outbox_look *look = vl_outbox_look(house->world->outbox, NULL);
	struct vl_outbox_batch batch = {0};
	unsigned events = 0;

	assert_non_null(look);
	while (vl_outbox_each(look, &batch))
		events += batch.n_events;
	vl_outbox_look_end(look);
	return events;
}

#define INVALID VALISE__V1__REFUSED_CAUSE__REFUSED_CAUSE_INVALID

/* -- the tests -- */

static void says_ok_for_what_is_kept(void **state)
{
	struct house *house = *state;
	int fd = dial(house);

	ask_one(house, fd, 77, 1, CASE_TYPE, 10);
	accepted(house, fd, 77, 1, false);
	assert_int_equal(stored(house), 1);
	ask_one(house, fd, 0, 0, CASE_TYPE, 10);
	accepted(house, fd, 0, 2, false);
	assert_int_equal(vl_keeper_timeout(house->keeper), -1);
	(void)close(fd);
}

static void answers_in_order(void **state)
{
	struct house *house = *state;
	int fd = dial(house);
	struct vl_buf request;

	for (uint64_t tag = 1; tag <= 50; tag++) {
		request_open(&request, tag);
		for (uint64_t i = 0; i < tag % 4; i++)
			request_add(&request, 0, CASE_TYPE, 10);
		ask(house, fd, &request);
	}
	uint64_t event = 0;
	for (uint64_t tag = 1; tag <= 50; tag++) {
		Valise__V1__PublishResponse *response = answer(house, fd);
		assert_int_equal(response->tag, tag);
		assert_int_equal(response->n_results, tag % 4);
		for (size_t i = 0; i < response->n_results; i++)
			assert_int_equal(taken(response->results[i])->event, ++event);
		FREE(response);
	}
	(void)close(fd);
}

static void clients_share_a_commit(void **state)
{
	struct house *house = *state;
	struct vl_outbox_batch batch = {0};
	int fds[8];

	for (int i = 0; i < 8; i++) {
		fds[i] = dial(house);
		ask_one(house, fds[i], 1, (uint64_t)i + 1, CASE_TYPE, 10);
	}
	step(house);
	settle(house);
	struct vl_outbox_look *look = vl_outbox_look(house->world->outbox, NULL);
	unsigned batches = 0;
	while (vl_outbox_each(look, &batch))
		batches++;
	vl_outbox_look_end(look);
	assert_in_range(batches, 1, 2);
	assert_int_equal(stored(house), 8);
	for (int i = 0; i < 8; i++) {
		FREE(answer(house, fds[i]));
		(void)close(fds[i]);
	}
}

static void same_id_gets_the_first_answer(void **state)
{
	struct house *house = *state;
	int fd = dial(house), other = dial(house);

	ask_one(house, fd, 1, 5, CASE_TYPE, 10);
	accepted(house, fd, 1, 1, false);
	ask_one(house, fd, 2, 6, CASE_TYPE, 10);
	accepted(house, fd, 2, 2, false);
	ask_one(house, other, 3, 5, CASE_TYPE, 10);
	accepted(house, other, 3, 1, true);
	/* Twice within one request. */
	struct vl_buf request;
	request_open(&request, 4);
	request_add(&request, 9, CASE_TYPE, 10);
	request_add(&request, 9, CASE_TYPE, 10);
	ask(house, fd, &request);
	Valise__V1__PublishResponse *response = answer(house, fd);
	assert_false(taken(response->results[0])->duplicate);
	assert_true(taken(response->results[1])->duplicate);
	assert_int_equal(taken(response->results[1])->event, 3);
	FREE(response);
	assert_int_equal(stored(house), 3);
	(void)close(fd);
	(void)close(other);
}

static void good_around_bad_is_accepted(void **state)
{
	struct house *house = *state;
	int fd = dial(house);
	struct vl_buf request, broken = {0};
	struct fixture_event no_subject = fixture_event();

	no_subject.subject = (struct vl_bytes){0};
	no_subject.id = (struct vl_bytes){0};
	fixture_put_event(&broken, &no_subject);
	request_open(&request, 1);
	request_add(&request, 1, CASE_TYPE, 10);
	request_add(&request, 2, "consular.case.v1.NoSuchThing", 10);
	vl_wire_put_bytes(&request, 2, broken.data, broken.size);
	request_add(&request, 3, CASE_TYPE, 900000);
	vl_wire_put_bytes(&request, 2, "\xff\xff\xff", 3);
	vl_wire_put_bytes(&request, 2, "", 0);
	request_add(&request, 4, CASE_TYPE, 10);
	ask(house, fd, &request);
	Valise__V1__PublishResponse *response = answer(house, fd);
	assert_int_equal(response->n_results, 7);
	assert_int_equal(taken(response->results[0])->event, 1);
	for (size_t i = 1; i <= 5; i++) {
		assert_int_equal(not_taken(response->results[i])->cause, INVALID);
		assert_true(strlen(not_taken(response->results[i])->reason) > 10);
	}
	assert_non_null(strstr(not_taken(response->results[1])->reason, "type"));
	assert_non_null(strstr(not_taken(response->results[2])->reason, "subject"));
	assert_non_null(strstr(not_taken(response->results[3])->reason, "900000"));
	assert_int_equal(taken(response->results[6])->event, 2);
	FREE(response);
	assert_int_equal(stored(house), 2);
	vl_buf_free(&broken);
	(void)close(fd);
}

static void malformed_requests_are_named(void **state)
{
	struct house *house = *state;
	int fd = dial(house);
	struct vl_buf request;

	/* Broken behind a good event: nothing of it is taken. */
	request_open(&request, 3);
	request_add(&request, 1, CASE_TYPE, 10);
	vl_buf_put(&request, "\x12\x7f", 2);
	ask(house, fd, &request);
	refused(house, fd, 3, INVALID, "request");
	/* Unknown field, wrong type, tag twice. */
	request_open(&request, 4);
	vl_wire_put_varint(&request, 9, 1);
	ask(house, fd, &request);
	refused(house, fd, 4, INVALID, "field 9");
	request_open(&request, 5);
	vl_wire_put_varint(&request, 2, 1);
	ask(house, fd, &request);
	refused(house, fd, 5, INVALID, "field 2");
	request_open(&request, 6);
	vl_wire_put_varint(&request, 1, 7);
	ask(house, fd, &request);
	refused(house, fd, 6, INVALID, "twice");
	request_open(&request, 8);
	for (size_t i = 0; i <= VL_FRAME_EVENTS; i++)
		vl_wire_put_bytes(&request, 2, "", 0);
	ask(house, fd, &request);
	refused(house, fd, 8, INVALID, "4096");
	/* An empty frame is an empty request. */
	send_all(house, fd, "\0\0\0\0", 4);
	Valise__V1__PublishResponse *response = answer(house, fd);
	assert_int_equal(response->n_results, 0);
	FREE(response);
	assert_int_equal(stored(house), 0);
	ask_one(house, fd, 9, 1, CASE_TYPE, 10);
	accepted(house, fd, 9, 1, false);
	(void)close(fd);
}

static void overlong_frame_ends_the_connection(void **state)
{
	struct house *house = *state;
	int fd = dial(house), other = dial(house);

	ask_one(house, fd, 1, 1, CASE_TYPE, 10);
	send_all(house, fd, "\x00\x10\x00\x01junk", 8);
	accepted(house, fd, 1, 1, false);
	refused(house, fd, 0, INVALID, "1048576");
	assert_true(closed(house, fd));
	ask_one(house, other, 2, 2, CASE_TYPE, 10);
	accepted(house, other, 2, 2, false);
	(void)close(fd);
	(void)close(other);
}

static void closed_midway_takes_nothing_of_the_half(void **state)
{
	struct house *house = *state;
	struct vl_buf request;

	for (size_t cut = 1; cut < 200; cut += 13) {
		int fd = dial(house);
		request_open(&request, 1);
		request_add(&request, 100 + cut, CASE_TYPE, 300);
		request_close(&request);
		send_all(house, fd, request.data, cut);
		settle(house);
		(void)close(fd);
		settle(house);
		vl_buf_free(&request);
	}
	assert_int_equal(stored(house), 0);
	/* Gone after a whole request, without waiting for the answer: taken, and the same id says so. */
	int fd = dial(house);
	ask_one(house, fd, 1, 1, CASE_TYPE, 10);
	(void)close(fd);
	settle(house);
	assert_int_equal(stored(house), 1);
	/* No more to send, but still listening. */
	fd = dial(house);
	ask_one(house, fd, 2, 1, CASE_TYPE, 10);
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	accepted(house, fd, 2, 1, true);
	assert_true(closed(house, fd));
	(void)close(fd);
}

static void frames_come_in_any_pieces(void **state)
{
	struct house *house = *state;
	int fd = dial(house);
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
		send_all(house, fd, all.data + at, piece);
		at += piece;
		if (fixture_next(&seed) % 2)
			step(house);
	}
	for (uint64_t n = 1; n <= 40; n++)
		accepted(house, fd, n, n, false);
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
		fds[i] = dial(house);
		request_open(&requests[i], (uint64_t)i);
		request_add(&requests[i], (uint64_t)i + 1, CASE_TYPE, 800000);
		request_close(&requests[i]);
	}
	for (int round = 0; left > 0 && round < 100000; round++) {
		left = 0;
		for (int i = 0; i < 8; i++) {
			size_t rest = requests[i].size - sent[i];
			ssize_t got = rest == 0 ? 0
						: send(fds[i], requests[i].data + sent[i], rest < 50000 ? rest : 50000,
						       MSG_DONTWAIT | MSG_NOSIGNAL);
			sent[i] += got > 0 ? (size_t)got : 0;
			left += sent[i] < requests[i].size;
		}
		step(house);
	}
	assert_int_equal(left, 0);
	for (int i = 0; i < 8; i++) {
		FREE(answer(house, fds[i]));
		vl_buf_free(&requests[i]);
		(void)close(fds[i]);
	}
	assert_int_equal(stored(house), 8);
}

/* A program that sends and never reads is not read any more; others go on; and once it reads, all is answered. */
static void answers_that_pile_up_stop_the_reading(void **state)
{
	struct house *house = *state;
	int fd = dial(house), other = dial(house);
	struct vl_buf request;
	uint64_t asked = 0;

	request_open(&request, 1);
	for (int i = 0; i < 1000; i++)
		vl_wire_put_bytes(&request, 2, "", 0);
	request_close(&request);
	for (int idle = 0; idle < 50;) {
		if (asked % request.size == 0 || idle > 0)
			step(house);
		ssize_t sent = send(fd, request.data + asked % request.size, request.size - asked % request.size,
				    MSG_DONTWAIT | MSG_NOSIGNAL);
		idle = sent < 0 ? idle + 1 : 0;
		asked += sent > 0 ? (uint64_t)sent : 0;
		assert_true(asked < (uint64_t)100 << 20);
	}
	assert_true(vl_keeper_timeout(house->keeper) != 0);
	ask_one(house, other, 2, 1, CASE_TYPE, 10);
	accepted(house, other, 2, 1, false);
	for (uint64_t i = 0; i < asked / request.size; i++) {
		Valise__V1__PublishResponse *response = answer(house, fd);
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
	int fd = dial(house);
	(void)!write(fd, "\0\0\0\0", 4);
	refused(house, fd, 0, INVALID, "[socket] users");
	assert_true(closed(house, fd));
	house->users[0] = geteuid();
	(void)close(fd);
	assert_int_equal(stored(house), 0);
}

static void too_many_are_told(void **state)
{
	struct house *house = *state;
	int fds[VL_KEEPER_CLIENTS + 1];

	for (int i = 0; i <= VL_KEEPER_CLIENTS; i++) {
		fds[i] = dial(house);
		step(house);
	}
	refused(house, fds[VL_KEEPER_CLIENTS], 0, INVALID, "128");
	ask_one(house, fds[0], 1, 1, CASE_TYPE, 10);
	accepted(house, fds[0], 1, 1, false);
	for (int i = 0; i <= VL_KEEPER_CLIENTS; i++)
		(void)close(fds[i]);
	settle(house);
	fds[0] = dial(house);
	ask_one(house, fds[0], 2, 2, CASE_TYPE, 10);
	accepted(house, fds[0], 2, 2, false);
	(void)close(fds[0]);
}

static void full_is_told_and_flash_is_taken(void **state)
{
	struct house *house = *state;
	struct vl_outbox_options options = world_options(house->world);
	struct vl_buf request;
	int fd = dial(house);

	/* A small outbox, filled up to where only FLASH may go. */
	vl_keeper_close(house->keeper);
	world_close(house->world);
	options.size = VL_OUTBOX_SIZE_MIN;
	world_open_with(house->world, &options);
	struct vl_keeper_options keeper = {house->world->outbox, house->listener, house->users, 1, house->ring, NULL};
	assert_int_equal(vl_keeper_open(&keeper, &house->keeper, NULL), VL_OK);
	Valise__V1__PublishResult *result;
	Valise__V1__PublishResponse *response;
	uint64_t n = 0;
	do {
		n++;
		ask_one(house, fd, n, n, CASE_TYPE, 500000);
		response = answer(house, fd);
		result = response->results[0];
		bool more = result->outcome_case == VALISE__V1__PUBLISH_RESULT__OUTCOME_ACCEPTED;
		if (!more) {
			assert_int_equal(not_taken(result)->cause, VALISE__V1__REFUSED_CAUSE__REFUSED_CAUSE_FULL);
			assert_non_null(strstr(not_taken(result)->reason, "% full"));
		}
		FREE(response);
		if (!more)
			break;
	} while (n < 100);
	assert_in_range(n, 10, 30);
	request_open(&request, 1);
	request_add(&request, 1000, CASE_TYPE, 500000);
	request_add(&request, 1001, FLASH_TYPE, 100);
	ask(house, fd, &request);
	response = answer(house, fd);
	(void)not_taken(response->results[0]);
	(void)taken(response->results[1]);
	FREE(response);
	(void)close(fd);
}

static void wakes_the_link_and_notes_its_acks(void **state)
{
	struct house *house = *state;
	struct vl_pipe_message message;
	struct vl_epoch epoch;
	struct vl_seq seq;
	int ends[2], fd = dial(house);

	assert_int_equal(vl_pipe_open(ends, NULL), VL_OK);
	vl_keeper_set_link(house->keeper, ends[0]);
	ask_one(house, fd, 1, 1, CASE_TYPE, 10);
	accepted(house, fd, 1, 1, false);
	assert_int_equal(vl_pipe_receive(ends[1], &message, NULL), VL_OK);
	assert_int_equal(message.kind, VL_PIPE_COMMITTED);
	message = (struct vl_pipe_message){
		.kind = VL_PIPE_ACKED, .lane = vl_lane_find(CASE_LANE, strlen(CASE_LANE)), .epoch = {NOW}, .seq = {1}};
	assert_int_equal(vl_pipe_send(ends[1], &message), VL_OK);
	step(house);
	assert_in_range(vl_keeper_timeout(house->keeper), 1, 500);
	/* The next commit takes it along. */
	ask_one(house, fd, 2, 2, CASE_TYPE, 10);
	accepted(house, fd, 2, 2, false);
	assert_int_equal(vl_keeper_timeout(house->keeper), -1);
	struct vl_outbox_look *look = vl_outbox_look(house->world->outbox, NULL);
	vl_outbox_acked(look, CASE_LANE, &epoch, &seq);
	vl_outbox_look_end(look);
	assert_int_equal(epoch.n, NOW);
	assert_int_equal(seq.n, 1);
	/* What the line carries it takes to heart without a word. */
	assert_int_equal(vl_pipe_send(ends[1], &(struct vl_pipe_message){.kind = VL_PIPE_LINE, .rate = 1}), VL_OK);
	step(house);
	assert_int_equal(vl_keeper_timeout(house->keeper), -1);
	/* Without one it does not wait for ever. */
	message.seq.n = 2;
	assert_int_equal(vl_pipe_send(ends[1], &message), VL_OK);
	assert_int_equal(vl_keeper_finish(house->keeper, 10, NULL), VL_OK);
	look = vl_outbox_look(house->world->outbox, NULL);
	vl_outbox_acked(look, CASE_LANE, &epoch, &seq);
	vl_outbox_look_end(look);
	assert_int_equal(seq.n, 2);
	/* A link that goes is no reason to stop. */
	(void)close(ends[1]);
	ask_one(house, fd, 3, 3, CASE_TYPE, 10);
	accepted(house, fd, 3, 3, false);
	vl_keeper_set_link(house->keeper, -1);
	(void)close(ends[0]);
	(void)close(fd);
}

static void receipts_from_the_link_free(void **state)
{
	struct house *house = *state;
	struct vl_outbox_batch batch = {0};
	int ends[2], fd = dial(house);
	size_t at = 0;

	assert_int_equal(vl_pipe_open(ends, NULL), VL_OK);
	vl_keeper_set_link(house->keeper, ends[0]);
	for (uint64_t n = 1; n <= 3; n++) {
		ask_one(house, fd, n, n, CASE_TYPE, 10);
		accepted(house, fd, n, n, false);
	}
	struct vl_outbox_look *look = vl_outbox_look(house->world->outbox, NULL);
	assert_true(vl_outbox_next(look, CASE_LANE, (struct vl_epoch){NOW}, (struct vl_seq){1}, &batch));
	struct vl_digest digest = batch.digest;
	vl_outbox_look_end(look);
	struct vl_buf relayed = receipt_relay(
		&(struct receipt_made){.seq = 2, .digest = {digest.bytes, sizeof(digest.bytes)}, .filler = 100000});
	assert_int_equal(vl_pipe_send_record(ends[1], vl_buf_bytes(&relayed), &at), VL_OK);
	vl_buf_free(&relayed);
	for (int i = 0; i < 4; i++)
		step(house);
	assert_int_equal(vl_keeper_timeout(house->keeper), -1);
	assert_int_equal(stored(house), 1);
	/* Known by their ids for ever. */
	ask_one(house, fd, 4, 2, CASE_TYPE, 10);
	accepted(house, fd, 4, 2, true);
	vl_keeper_set_link(house->keeper, -1);
	(void)close(ends[0]);
	(void)close(ends[1]);
	(void)close(fd);
}

static void directives_from_the_link_come_back_as_wishes(void **state)
{
	struct house *house = *state;
	struct vl_pipe_message message;
	int ends[2];

	assert_int_equal(vl_pipe_open(ends, NULL), VL_OK);
	vl_keeper_set_link(house->keeper, ends[0]);
	for (uint64_t n = 1; n <= 2; n++) {
		struct vl_buf relayed = receipt_relay(&(struct receipt_made){
			.resend = true, .seq = 2, .to = 3, .batch = n, .mission = n == 1 ? OTHER : "CN-SD-EMB"});
		size_t at = 0;
		assert_int_equal(vl_pipe_send_record(ends[1], vl_buf_bytes(&relayed), &at), VL_OK);
		vl_buf_free(&relayed);
		step(house);
	}
	assert_int_equal(vl_pipe_receive(ends[1], &message, NULL), VL_OK);
	assert_int_equal(message.kind, VL_PIPE_RESEND);
	assert_int_equal(message.seq.n, 2);
	assert_int_equal(message.to.n, 3);
	assert_int_equal(vl_pipe_receive(ends[1], &message, NULL), VL_ERR_END);
	vl_keeper_set_link(house->keeper, -1);
	(void)close(ends[0]);
	(void)close(ends[1]);
}

/* Random bytes, whole or cut, from several programs at once: no crash, and a well-behaved one is served. */
static void noise_does_no_harm(void **state)
{
	struct house *house = *state;
	uint64_t seed = fixture_seed();
	int good = dial(house);

	for (uint64_t round = 1; round <= 200; round++) {
		uint8_t noise[600];
		int fd = dial(house);
		size_t size = fixture_next(&seed) % sizeof(noise);
		fixture_fill(&seed, noise, sizeof(noise));
		if (fixture_next(&seed) % 2) {
			/* Within a frame, and with the tag of an event in front. */
			vl_put_be32(noise, (uint32_t)(size > 4 ? size - 4 : 0));
			noise[4] = 0x12;
			noise[5] = (uint8_t)(fixture_next(&seed) % 2 ? size - 6 : noise[5]);
		}
		send_all(house, fd, noise, size);
		if (fixture_next(&seed) % 2)
			step(house);
		(void)close(fd);
		ask_one(house, good, round, round, CASE_TYPE, 10);
		accepted(house, good, round, round, false);
	}
	assert_int_equal(stored(house), 200);
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
		TEST(says_ok_for_what_is_kept),
		TEST(answers_in_order),
		TEST(clients_share_a_commit),
		TEST(same_id_gets_the_first_answer),
		TEST(good_around_bad_is_accepted),
		TEST(malformed_requests_are_named),
		TEST(overlong_frame_ends_the_connection),
		TEST(closed_midway_takes_nothing_of_the_half),
		TEST(frames_come_in_any_pieces),
		TEST(big_frames_take_turns),
		TEST(answers_that_pile_up_stop_the_reading),
		TEST(strangers_are_told_and_turned_away),
		TEST(too_many_are_told),
		TEST(full_is_told_and_flash_is_taken),
		TEST(wakes_the_link_and_notes_its_acks),
		TEST(receipts_from_the_link_free),
		TEST(directives_from_the_link_come_back_as_wishes),
		TEST(noise_does_no_harm),
		TEST(socket_is_private_and_replaced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
