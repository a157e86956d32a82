#include "agent_house.h"

#include "agent/listen.h"

#include <errno.h>
#include <poll.h>
#include <sys/un.h>

int house_setup(void **state)
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
	struct vl_keeper_options options = {
		house->world->outbox, house->listener, house->users, 1, house->ring, NULL};
	assert_int_equal(vl_keeper_open(&options, &house->keeper, NULL), VL_OK);
	*state = house;
	return 0;
}

int house_teardown(void **state)
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

void house_step(struct house *house)
{
	assert_int_equal(vl_keeper_step(house->keeper, NULL), VL_OK);
}

void house_settle(struct house *house)
{
	for (int i = 0; i < 4; i++)
		house_step(house);
}

unsigned house_stored(struct house *house)
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

/* -- a program -- */

int house_dial(struct house *house)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_true(strlen(house->path) < sizeof(address.sun_path));
	(void)strcpy(address.sun_path, house->path);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

void request_open(struct vl_buf *request, uint64_t tag)
{
	*request = (struct vl_buf){0};
	(void)vl_buf_add(request, VL_FRAME_HEAD);
	vl_wire_put_varint(request, 1, tag);
}

void request_add(struct vl_buf *request, uint64_t n, const char *type, size_t extra)
{
	struct vl_buf event = {0};
	struct vl_bytes bytes = world_event(&event, n, type, extra);

	vl_wire_put_bytes(request, 2, bytes.data, bytes.size);
	vl_buf_free(&event);
}

void request_close(struct vl_buf *request)
{
	vl_put_be32(request->data, (uint32_t)(request->size - VL_FRAME_HEAD));
}

void house_send(struct house *house, int fd, const void *bytes, size_t count)
{
	const uint8_t *at = bytes;

	while (count > 0) {
		ssize_t sent = send(fd, at, count, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (sent < 0)
			house_step(house);
		else
			at += sent, count -= (size_t)sent;
	}
}

void house_ask(struct house *house, int fd, struct vl_buf *request)
{
	request_close(request);
	house_send(house, fd, request->data, request->size);
	vl_buf_free(request);
}

void house_ask_one(struct house *house, int fd, uint64_t tag, uint64_t n, const char *type,
		   size_t extra)
{
	struct vl_buf request;

	request_open(&request, tag);
	request_add(&request, n, type, extra);
	house_ask(house, fd, &request);
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
			house_step(house);
		assert_true(got != 0);
		assert_true(tries < 1000 || count == 0);
	}
}

Valise__V1__PublishResponse *house_answer(struct house *house, int fd)
{
	uint8_t head[4];

	receive(house, fd, head, sizeof(head));
	uint32_t size = vl_get_be32(head);
	assert_in_range(size, 0, VL_FRAME_MAX);
	uint8_t *bytes = malloc(size + 1);
	assert_non_null(bytes);
	receive(house, fd, bytes, size);
	struct vl_why why = {0};
	if (vl_wire_check(&valise__v1__publish_response__descriptor, (struct vl_bytes){bytes, size},
			  false, &why) != VL_OK)
		fail_msg("%s", why.text);
	Valise__V1__PublishResponse *response =
		valise__v1__publish_response__unpack(NULL, size, bytes);
	assert_non_null(response);
	free(bytes);
	return response;
}

const Valise__V1__Accepted *result_taken(const Valise__V1__PublishResult *result)
{
	if (result->outcome_case != VALISE__V1__PUBLISH_RESULT__OUTCOME_ACCEPTED)
		fail_msg("%s", result->refused->reason);
	return result->accepted;
}

const Valise__V1__Refused *result_refused(const Valise__V1__PublishResult *result)
{
	assert_int_equal(result->outcome_case, VALISE__V1__PUBLISH_RESULT__OUTCOME_REFUSED);
	return result->refused;
}

void house_refused(struct house *house, int fd, uint64_t tag, Valise__V1__RefusedCause cause,
		   const char *word)
{
	Valise__V1__PublishResponse *response = house_answer(house, fd);

	assert_int_equal(response->tag, tag);
	assert_int_equal(response->n_results, 1);
	const Valise__V1__Refused *r = result_refused(response->results[0]);
	assert_int_equal(r->cause, cause);
	if (strstr(r->reason, word) == NULL)
		fail_msg("'%s' is not in: %s", word, r->reason);
	FREE(response);
}

void house_accepted(struct house *house, int fd, uint64_t tag, uint64_t event, bool duplicate)
{
	Valise__V1__PublishResponse *response = house_answer(house, fd);

	assert_int_equal(response->tag, tag);
	assert_int_equal(response->n_results, 1);
	const Valise__V1__Accepted *a = result_taken(response->results[0]);
	assert_int_equal(a->id.len, 16);
	assert_string_equal(a->lane, CASE_LANE);
	assert_int_equal(a->epoch, NOW);
	assert_int_equal(a->event, event);
	assert_int_equal(a->duplicate, duplicate);
	FREE(response);
}

bool house_closed(struct house *house, int fd)
{
	char byte;

	house_settle(house);
	/* Reset where what the program had sent was never read. */
	ssize_t got = recv(fd, &byte, 1, MSG_DONTWAIT);
	return got == 0 || (got < 0 && errno == ECONNRESET);
}
