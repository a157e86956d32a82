/* stream/valve.h: what goes through arrives as it was, and librdkafka sees of its connection
 * what it would see without. */
#include "bus_fixture.h"

#include "base/clock.h"
#include "stream/valve.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>

#define WAIT_MS 30000
#define MUCH ((size_t)8 << 20)

static struct vl_valves *valves;
static struct sockaddr_in address;
static int listener;

static int setup(void **state)
{
	socklen_t size = sizeof(address);

	(void)state;
	valves = vl_valves_open();
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	address = (struct sockaddr_in){.sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	return valves == NULL ||
	       bind(listener, (struct sockaddr *)&address, sizeof(address)) != 0 ||
	       listen(listener, 8) != 0 ||
	       getsockname(listener, (struct sockaddr *)&address, &size) != 0;
}

static int teardown(void **state)
{
	(void)state;
	vl_valves_close(valves);
	(void)close(listener);
	return 0;
}

/* A socket as librdkafka has it while it connects. */
static int dial(void)
{
	int fd = vl_valves_socket(AF_INET, SOCK_STREAM, IPPROTO_TCP);

	assert_true(fd >= 0);
	(void)fcntl(fd, F_SETFL, O_NONBLOCK);
	assert_int_equal(
		vl_valves_connect(valves, fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

/* What librdkafka does next: waits until it is writable, and asks how it went. */
static int outcome(int fd)
{
	struct pollfd wait = {.fd = fd, .events = POLLOUT};
	socklen_t size = sizeof(int);
	int error = 0;

	assert_int_equal(poll(&wait, 1, WAIT_MS), 1);
	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size), 0);
	return error;
}

/* Until its descriptor is one end of a pair: librdkafka is one thread, and these tests are two. */
static void await_valve(int fd)
{
	int64_t end = vl_monotonic_ms() + WAIT_MS;
	int domain = AF_INET;
	socklen_t size = sizeof(domain);

	while (domain != AF_UNIX && vl_monotonic_ms() < end) {
		(void)poll(NULL, 0, 1);
		(void)getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size);
	}
	assert_int_equal(domain, AF_UNIX);
}

static uint8_t pattern(size_t at)
{
	return (uint8_t)(at * 31 + at / 251);
}

/* Sends MUCH bytes, in pieces. */
static void *give(void *context)
{
	const int *fd = context;
	uint8_t bytes[10007];

	for (size_t at = 0; at < MUCH;) {
		size_t count = MUCH - at < sizeof(bytes) ? MUCH - at : sizeof(bytes);
		struct pollfd wait = {.fd = *fd, .events = POLLOUT};
		for (size_t i = 0; i < count; i++)
			bytes[i] = pattern(at + i);
		if (poll(&wait, 1, WAIT_MS) != 1)
			break;
		ssize_t sent = send(*fd, bytes, count, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (sent < 0 && errno != EAGAIN)
			break;
		at += sent > 0 ? (size_t)sent : 0;
	}
	return NULL;
}

/* Receives them; how many were right. */
static void *get(void *context)
{
	const int *fd = context;
	uint8_t bytes[65536];
	size_t at = 0;

	while (at < MUCH) {
		struct pollfd wait = {.fd = *fd, .events = POLLIN};
		ssize_t got = poll(&wait, 1, WAIT_MS) == 1
				      ? recv(*fd, bytes, sizeof(bytes), MSG_DONTWAIT)
				      : 0;
		if (got == 0 || (got < 0 && errno != EAGAIN))
			break;
		for (ssize_t i = 0; i < got; i++, at++)
			if (bytes[i] != pattern(at))
				return (void *)at;
	}
	return (void *)at;
}

static void all_passes_both_ways_at_once(void **state)
{
	int near = dial();
	void *there = NULL;
	pthread_t threads[3];

	(void)state;
	assert_int_equal(outcome(near), 0);
	int far = accept(listener, NULL, NULL);
	await_valve(near);
	(void)pthread_create(&threads[0], NULL, give, &near);
	(void)pthread_create(&threads[1], NULL, give, &far);
	(void)pthread_create(&threads[2], NULL, get, &far);
	size_t here = (size_t)get(&near);
	for (size_t i = 0; i < 3; i++)
		(void)pthread_join(threads[i], i == 2 ? &there : NULL);
	assert_int_equal(here, MUCH);
	assert_int_equal((size_t)there, MUCH);
	assert_true(vl_valves_rate(valves) > 0);
	assert_int_equal(vl_valves_closesocket(valves, near), 0);
	(void)close(far);
}

static void either_end_s_close_is_the_other_s_end(void **state)
{
	struct pollfd wait = {.events = POLLIN};
	char byte;

	(void)state;
	int near = dial();
	assert_int_equal(outcome(near), 0);
	int far = accept(listener, NULL, NULL);
	(void)close(far);
	wait.fd = near;
	assert_int_equal(poll(&wait, 1, WAIT_MS), 1);
	assert_int_equal(recv(near, &byte, 1, 0), 0);
	(void)vl_valves_closesocket(valves, near);

	near = dial();
	assert_int_equal(outcome(near), 0);
	far = accept(listener, NULL, NULL);
	(void)vl_valves_closesocket(valves, near);
	wait.fd = far;
	assert_int_equal(poll(&wait, 1, WAIT_MS), 1);
	assert_true(recv(far, &byte, 1, 0) <= 0);
	(void)close(far);
}

static void failure_to_connect_is_told_as_it_is(void **state)
{
	(void)state;
	(void)close(listener);
	listener = -1;
	int near = vl_valves_socket(AF_INET, SOCK_STREAM, IPPROTO_TCP);
	(void)fcntl(near, F_SETFL, O_NONBLOCK);
	int err = vl_valves_connect(valves, near, (struct sockaddr *)&address, sizeof(address));
	if (err == 0)
		err = outcome(near);
	assert_int_equal(err, ECONNREFUSED);
	(void)vl_valves_closesocket(valves, near);
}

static void closing_waits_for_no_connection(void **state)
{
	int fillers[16];

	(void)state;
	/* A listener that has enough does not answer any more. */
	assert_int_equal(listen(listener, 0), 0);
	for (size_t i = 0; i < 16; i++) {
		fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		(void)!connect(fillers[i], (struct sockaddr *)&address, sizeof(address));
	}
	int near = dial();
	struct pollfd wait = {.fd = near, .events = POLLOUT};
	assert_int_equal(poll(&wait, 1, 100), 0);
	int64_t began = vl_monotonic_ms();
	(void)vl_valves_closesocket(valves, near);
	vl_valves_close(valves);
	valves = NULL;
	assert_true(vl_monotonic_ms() - began < 10000);
	for (size_t i = 0; i < 16; i++)
		(void)close(fillers[i]);
}

static void nothing_is_left_open(void **state)
{
	(void)state;
	int before = dup(listener);
	(void)close(before);
	for (int i = 0; i < 50; i++) {
		int near = dial();
		assert_int_equal(outcome(near), 0);
		int far = accept(listener, NULL, NULL);
		(void)vl_valves_closesocket(valves, near);
		(void)close(far);
	}
	vl_valves_close(valves);
	valves = NULL;
	int after = dup(listener);
	(void)close(after);
	assert_int_equal(after, before);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(all_passes_both_ways_at_once),
		TEST(either_end_s_close_is_the_other_s_end),
		TEST(failure_to_connect_is_told_as_it_is),
		TEST(closing_waits_for_no_connection),
		TEST(nothing_is_left_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
