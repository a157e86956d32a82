#include "stream/valve.h"

#include "base/clock.h"
#include "stream/gauge.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define DEAD_MS 30000             /* bytes unconfirmed for so long: the line is dead */
#define CHUNK ((size_t)256 << 10) /* read at once */
#define SEGMENT ((size_t)1400)    /* not worth sending less, while more is waiting */
#define REST_MS 5
#define SETTLE_MS 50
#define WAY_MS 100     /* between looks how long the way is */
#define HELD_MAX_MS 50 /* between looks whether the line has room again */

/* Bytes on their way through. */
struct flow {
	size_t at, size;
	uint8_t bytes[CHUNK];
};

struct valve {
	struct vl_valves *all;
	struct valve *next;
	pthread_t thread;
	/* librdkafka's: the connection, and once the valve is in, the other end of the pair */
	int fd;
	int line, inner;    /* the connection, and our end of the pair */
	bool in;            /* the valve is in place */
	bool closed, ended; /* librdkafka has closed its descriptor; the thread is done */
	bool busy, holding; /* something is on its way; more waits for room */
	uint64_t sent, confirmed;
	int64_t looked_ms, way, way_at;
	struct flow up, down;
};

struct vl_valves {
	pthread_mutex_t lock;
	struct valve *first;
	struct vl_gauge gauge;
	uint64_t moved;         /* by all of them */
	unsigned busy, holding; /* so many of them */
};

/* -- one valve's thread -- */

static bool set_up(struct valve *valve)
{
	struct pollfd wait = {.fd = valve->line, .events = POLLOUT};
	int ends[2], error = 0;
	socklen_t size = sizeof(error);

	while (poll(&wait, 1, -1) < 0 && errno == EINTR)
		;
	/* A connection that failed is librdkafka's to see, and to say why. */
	if ((wait.revents & (POLLHUP | POLLERR)) != 0 ||
	    getsockopt(valve->line, SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0)
		return false;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0)
		return false;
	valve->inner = ends[1];
	(void)pthread_mutex_lock(&valve->all->lock);
	valve->in = !valve->closed && dup3(ends[0], valve->fd, O_CLOEXEC) >= 0;
	(void)pthread_mutex_unlock(&valve->all->lock);
	(void)close(ends[0]);
	/* librdkafka may be within a call on the connection itself still, and take what comes
	 * out of its turn. Once it has sent something through here it is not; and no call takes
	 * so long. */
	wait = (struct pollfd){.fd = valve->inner, .events = POLLIN};
	(void)poll(&wait, 1, valve->in ? SETTLE_MS : 0);
	return valve->in;
}

/* The way to the other end and back, with nothing of ours in it. */
static int64_t way_ms(const struct valve *valve)
{
	struct tcp_info info = {0};
	socklen_t size = sizeof(info);

	return getsockopt(valve->line, IPPROTO_TCP, TCP_INFO, &info, &size) == 0
		       ? info.tcpi_min_rtt / 1000
		       : 0;
}

/* Keep what is counted of all valves true to this one. */
static void count(unsigned *all, bool *one, bool is)
{
	*all = *all + is - *one;
	*one = is;
}

/* How many bytes may go into the line now, and if none, in how many milliseconds to ask again;
 * -1 where nothing waits. */
static size_t measure(struct valve *valve, int *again_ms)
{
	struct vl_valves *all = valve->all;
	bool more = valve->up.size > 0;
	int queued = 0;

	(void)ioctl(valve->line, SIOCOUTQ, &queued);
	size_t standing = queued > 0 ? (size_t)queued : 0;
	int64_t now = vl_monotonic_ms();

	if (more && now - valve->way_at >= WAY_MS) {
		valve->way_at = now;
		valve->way = way_ms(valve);
	}
	/* It was empty for a while: what moved until then took less time than it seems. */
	bool rested = standing == 0 && !valve->holding && now - valve->looked_ms > REST_MS;
	valve->looked_ms = now;
	(void)pthread_mutex_lock(&all->lock);
	all->moved += valve->sent - standing - valve->confirmed;
	valve->confirmed = valve->sent - standing;
	size_t room = vl_gauge_room(&all->gauge, valve->way, all->holding);
	size_t least = valve->up.size < SEGMENT ? valve->up.size : SEGMENT;
	bool hold = more && standing > 0 && standing + least > room;
	count(&all->holding, &valve->holding, hold);
	count(&all->busy, &valve->busy, (more || standing > 0) && !rested);
	vl_gauge_note(&all->gauge, all->moved, all->busy > 0, all->holding > 0, now);
	uint64_t rate = all->gauge.rate;
	(void)pthread_mutex_unlock(&all->lock);
	*again_ms = -1;
	if (!hold)
		return room > standing + least ? room - standing : least;
	uint64_t wait = rate > 0 ? (standing + least - room) * 1000 / rate : 1;
	*again_ms = wait < 1 ? 1 : wait < HELD_MAX_MS ? (int)wait : HELD_MAX_MS;
	return 0;
}

/* False where the other end has closed or failed. */
static bool take(int fd, struct flow *flow)
{
	ssize_t got = recv(fd, flow->bytes, sizeof(flow->bytes), 0);

	flow->at = 0;
	flow->size = got > 0 ? (size_t)got : 0;
	return got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR));
}

static bool pass(int fd, struct flow *flow, size_t most, uint64_t *count)
{
	size_t size = flow->size < most ? flow->size : most;
	ssize_t went = size > 0 ? send(fd, flow->bytes + flow->at, size, MSG_NOSIGNAL) : 0;

	if (went < 0)
		return errno == EAGAIN || errno == EINTR;
	flow->at += (size_t)went;
	flow->size -= (size_t)went;
	*count += (uint64_t)went;
	return true;
}

static bool step(struct valve *valve)
{
	int again_ms;
	uint64_t back = 0;
	size_t most = measure(valve, &again_ms);
	short inner =
		(short)((valve->up.size == 0 ? POLLIN : 0) | (valve->down.size > 0 ? POLLOUT : 0));
	short line = (short)((valve->down.size == 0 ? POLLIN : 0) |
			     (valve->up.size > 0 && most > 0 ? POLLOUT : 0));
	/* A line that has failed is seen when what it brought before is out of the way. */
	struct pollfd fds[] = {{.fd = valve->inner, .events = inner},
			       {.fd = line != 0 ? valve->line : -1, .events = line}};
	bool good = true;

	if (poll(fds, 2, again_ms) < 0)
		return errno == EINTR;
	if ((fds[0].revents & (POLLHUP | POLLERR)) != 0)
		return false;
	if ((fds[0].revents & POLLIN) != 0)
		good = take(valve->inner, &valve->up);
	else if ((fds[1].revents & POLLOUT) != 0)
		good = pass(valve->line, &valve->up, most, &valve->sent);
	if (good && valve->down.size == 0 && (fds[1].revents & (POLLIN | POLLHUP | POLLERR)) != 0)
		good = take(valve->line, &valve->down);
	return good && pass(valve->inner, &valve->down, valve->down.size, &back);
}

static void *run(void *context)
{
	struct valve *valve = context;

	if (set_up(valve))
		while (step(valve))
			;
	(void)close(valve->line);
	if (valve->inner >= 0)
		(void)close(valve->inner);
	(void)pthread_mutex_lock(&valve->all->lock);
	count(&valve->all->holding, &valve->holding, false);
	count(&valve->all->busy, &valve->busy, false);
	valve->ended = true;
	(void)pthread_mutex_unlock(&valve->all->lock);
	return NULL;
}

/* -- all of them -- */

struct vl_valves *vl_valves_open(void)
{
	struct vl_valves *valves = calloc(1, sizeof(*valves));

	if (valves != NULL)
		(void)pthread_mutex_init(&valves->lock, NULL);
	return valves;
}

/* Take out those whose thread is done, or all; they are to be joined outside the lock. */
static struct valve *take_out(struct vl_valves *valves, bool all)
{
	struct valve *out = NULL, *valve, **at = &valves->first;

	(void)pthread_mutex_lock(&valves->lock);
	while ((valve = *at) != NULL) {
		if (!all && !valve->ended) {
			at = &valve->next;
			continue;
		}
		*at = valve->next;
		valve->next = out;
		out = valve;
	}
	(void)pthread_mutex_unlock(&valves->lock);
	return out;
}

static void join(struct valve *first)
{
	struct valve *next;

	for (struct valve *valve = first; valve != NULL; valve = next) {
		next = valve->next;
		(void)pthread_join(valve->thread, NULL);
		free(valve);
	}
}

void vl_valves_close(struct vl_valves *valves)
{
	if (valves == NULL)
		return;
	join(take_out(valves, true));
	(void)pthread_mutex_destroy(&valves->lock);
	free(valves);
}

/* Without memory or a thread the connection has no valve, and is as good as any. */
static void put_in(struct vl_valves *valves, int fd)
{
	struct valve *valve = calloc(1, sizeof(*valve));

	if (valve == NULL)
		return;
	valve->all = valves;
	valve->fd = fd;
	valve->inner = -1;
	valve->line = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	(void)pthread_mutex_lock(&valves->lock);
	bool begun = valve->line >= 0 && pthread_create(&valve->thread, NULL, run, valve) == 0;
	if (begun) {
		valve->next = valves->first;
		valves->first = valve;
	}
	(void)pthread_mutex_unlock(&valves->lock);
	if (begun)
		return;
	if (valve->line >= 0)
		(void)close(valve->line);
	free(valve);
}

/* -- what librdkafka calls -- */

int vl_valves_socket(int domain, int type, int protocol)
{
	int fd = socket(domain, type | SOCK_CLOEXEC, protocol), one = 1;
	unsigned dead = DEAD_MS;

	if (fd < 0)
		return fd;
	/* librdkafka would set the first on its end of the pair. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &dead, sizeof(dead));
	return fd;
}

int vl_valves_connect(struct vl_valves *valves, int fd, const struct sockaddr *address,
		      socklen_t size)
{
	if (connect(fd, address, size) != 0 && errno != EINPROGRESS)
		return errno;
	if (valves != NULL) {
		join(take_out(valves, false));
		put_in(valves, fd);
	}
	return 0;
}

int vl_valves_closesocket(struct vl_valves *valves, int fd)
{
	if (valves == NULL)
		return close(fd);
	/* With the lock, as the number may be another socket's at once. */
	(void)pthread_mutex_lock(&valves->lock);
	for (struct valve *valve = valves->first; valve != NULL; valve = valve->next) {
		if (valve->fd != fd || valve->closed)
			continue;
		valve->closed = true;
		if (!valve->in)
			(void)shutdown(valve->line, SHUT_RDWR);
	}
	int result = close(fd);
	(void)pthread_mutex_unlock(&valves->lock);
	return result;
}

uint64_t vl_valves_rate(struct vl_valves *valves)
{
	(void)pthread_mutex_lock(&valves->lock);
	uint64_t rate = valves->gauge.rate;
	(void)pthread_mutex_unlock(&valves->lock);
	return rate;
}
