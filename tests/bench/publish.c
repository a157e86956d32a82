/*
 * publish_bench: the programs of a busy mission, and the one who counts at the end.
 * tests/bench/publish runs it.
 *
 * publish_bench load SOCKET OUTBOX EVENTS CLIENTS A_REQUEST DEPTH CLIENTS threads, each on a
 * connection of its own, give EVENTS events to an agent, A_REQUEST to a request and DEPTH
 * requests ahead of the answers; then wait until Kafka has acked all that is in OUTBOX (`-`: do
 * not wait). Prints the events, the seconds to the last answer and the seconds to the last ack.
 * publish_bench free SOCKET OUTBOX Publish the receipt that headquarters would, that it has
 * applied all that Kafka has acked, through headquarters' agent at SOCKET; then wait until
 * OUTBOX is empty. publish_bench count BROKERS KEYS Read lane consular.case.v1 from its
 * beginning, verify every record, and print how many different events there are, how many
 * records, and how many of these were sent again. publish_bench topic BROKERS NAME Make a topic
 * of one partition for the plain producer.
 */
#include "agent/outbox/outbox.h"
#include "bus/keys.h"
#include "bus/record.h"
#include "bus/ring.h"
#include "bus/wire.h"
#include "events.h"
#include "stream/stream.h"
#include "valise/receipt/v1/receipt.pb-c.h"

#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void die(const char *what, const char *why)
{
	(void)fprintf(stderr, "publish_bench: cannot %s: %s\n", what, why);
	exit(1);
}

static void need(const char *what, enum vl_err err, const struct vl_why *why)
{
	if (err != VL_OK)
		die(what, vl_why_text(why, err));
}

/* -- load -- */

struct load {
	const char *socket;
	unsigned long events, a_request, depth;
	unsigned number;
};

static int dial(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
		die("connect to the agent", path);
	return fd;
}

static void send_all(int fd, const uint8_t *bytes, size_t count)
{
	while (count > 0) {
		ssize_t sent = send(fd, bytes, count, MSG_NOSIGNAL);
		if (sent <= 0)
			die("send", "the agent is gone");
		bytes += sent;
		count -= (size_t)sent;
	}
}

static void receive_all(int fd, uint8_t *bytes, size_t count)
{
	if (recv(fd, bytes, count, MSG_WAITALL) != (ssize_t)count)
		die("receive", "the agent is gone");
}

static void begin_request(struct vl_buf *request)
{
	vl_buf_reset(request);
	(void)vl_buf_add(request, 4);
	vl_wire_put_varint(request, 1, 1);
}

static void send_request(int fd, struct vl_buf *request)
{
	vl_put_be32(request->data, (uint32_t)(request->size - 4));
	send_all(fd, request->data, request->size);
}

static void ask(int fd, struct bench_events *events, unsigned long count, struct vl_buf *request)
{
	begin_request(request);
	for (unsigned long i = 0; i < count; i++) {
		bench_events_next(events);
		vl_wire_put_bytes(request, 2, events->bytes, events->size);
	}
	send_request(fd, request);
}

/* Read one response, in which every event must be accepted as new. */
static unsigned long hear(int fd, struct vl_buf *response)
{
	uint8_t head[4];
	struct vl_wire_field field, result;
	unsigned long accepted = 0;

	receive_all(fd, head, sizeof(head));
	vl_buf_reset(response);
	uint8_t *bytes = vl_buf_add(response, vl_get_be32(head));
	receive_all(fd, bytes, response->size);
	struct vl_wire wire = vl_wire_open(vl_buf_bytes(response));
	while (vl_wire_next(&wire, &field)) {
		if (field.number != 2)
			continue;
		struct vl_wire inner = vl_wire_open(field.bytes);
		if (!vl_wire_next(&inner, &result) || result.number != 1)
			die("publish", "an event was refused");
		accepted++;
	}
	return accepted;
}

static void *run_client(void *context)
{
	struct load *load = context;
	struct vl_buf request = {0}, response = {0};
	struct bench_events events;
	unsigned long asked = 0, heard = 0, ahead = load->a_request * load->depth;
	int fd = dial(load->socket);

	bench_events_start(&events, load->number + 1);
	while (heard < load->events) {
		if (asked < load->events && asked - heard < ahead) {
			unsigned long left = load->events - asked,
				      count = left < load->a_request ? left : load->a_request;
			ask(fd, &events, count, &request);
			asked += count;
		} else {
			heard += hear(fd, &response);
		}
	}
	(void)close(fd);
	vl_buf_free(&request);
	vl_buf_free(&response);
	return NULL;
}

static void await_acks(const char *path)
{
	struct vl_why why = {0};
	struct vl_outbox *outbox;
	bool waiting = true;

	need("open the outbox", vl_outbox_open_reader(path, &outbox, &why), &why);
	while (waiting) {
		struct vl_outbox_batch batch;
		struct vl_epoch epoch;
		struct vl_seq seq;
		struct vl_outbox_look *look = vl_outbox_look(outbox, &why);
		if (look == NULL)
			die("look into the outbox", why.text);
		vl_outbox_acked(look, BENCH_LANE, &epoch, &seq);
		waiting = vl_outbox_next(look, BENCH_LANE, epoch, seq, &batch);
		vl_outbox_look_end(look);
		if (waiting)
			(void)usleep(5000);
	}
	vl_outbox_close(outbox);
}

static int load(char **args)
{
	unsigned long events = strtoul(args[2], NULL, 10), clients = strtoul(args[3], NULL, 10);
	pthread_t threads[64];
	struct load loads[64];

	if (clients < 1 || clients > 64)
		die("load", "1 to 64 clients");
	double start = bench_seconds();
	for (unsigned i = 0; i < clients; i++) {
		loads[i] = (struct load){args[0], events / clients, strtoul(args[4], NULL, 10),
					 strtoul(args[5], NULL, 10), i};
		if (pthread_create(&threads[i], NULL, run_client, &loads[i]) != 0)
			die("start", "a thread");
	}
	for (unsigned i = 0; i < clients; i++)
		(void)pthread_join(threads[i], NULL);
	double answered = bench_seconds() - start;
	if (strcmp(args[1], "-") != 0)
		await_acks(args[1]);
	printf("%lu %.3f %.3f\n", events / clients * clients, answered, bench_seconds() - start);
	return 0;
}

/* -- free -- */

static void put_receipt(struct vl_buf *request, const struct vl_outbox_batch *last)
{
	Valise__Receipt__V1__Applied applied = VALISE__RECEIPT__V1__APPLIED__INIT;
	struct vl_digest digest = last->digest;
	struct vl_buf event = {0};

	applied.mission = (char *)BENCH_MISSION;
	applied.lane = (char *)BENCH_LANE;
	applied.epoch = last->epoch.n;
	applied.seq = last->seq.n;
	applied.digest = (ProtobufCBinaryData){sizeof(digest.bytes), digest.bytes};
	vl_event_pack(&event, BENCH_MISSION, NULL, vl_clock_now(&vl_clock_system), &applied.base);
	vl_wire_put_bytes(request, 2, event.data, event.size);
	vl_buf_free(&event);
}

/* The last batch in the outbox, written as its receipt; false where the outbox is empty. */
static bool put_last(struct vl_outbox *outbox, struct vl_buf *request)
{
	struct vl_outbox_batch batch = {0}, last = {0};
	struct vl_why why = {0};
	struct vl_outbox_look *look = vl_outbox_look(outbox, &why);

	if (look == NULL)
		die("look into the outbox", why.text);
	while (vl_outbox_each(look, &batch))
		last = batch;
	begin_request(request);
	if (last.lane != NULL)
		put_receipt(request, &last);
	vl_outbox_look_end(look);
	return last.lane != NULL;
}

static int free_all(char **args)
{
	struct vl_buf request = {0}, response = {0};
	struct vl_outbox *outbox;
	struct vl_why why = {0};
	int fd = dial(args[0]);

	need("open the outbox", vl_outbox_open_reader(args[1], &outbox, &why), &why);
	if (put_last(outbox, &request)) {
		send_request(fd, &request);
		(void)hear(fd, &response);
	}
	while (put_last(outbox, &request))
		(void)usleep(20000);
	vl_outbox_close(outbox);
	vl_buf_free(&request);
	vl_buf_free(&response);
	(void)close(fd);
	return 0;
}

/* -- count -- */

/* Batches may have been sent twice: each place in the chain counts once. Kafka keeps a sender's
 * order, and what is sent again is behind what it repeats. */
struct count {
	unsigned long events, records, again;
	uint64_t epoch, seq;
};

static void count_record(struct count *count, const struct vl_record *record,
			 const struct vl_ring *ring, struct vl_arena *arena)
{
	struct vl_verified verified;
	struct vl_why why = {0};

	need("verify a record", vl_record_verify(record, ring, arena, &verified, &why), &why);
	const struct vl_batch_head *head = &verified.batch.head;
	count->records++;
	if (head->epoch.n < count->epoch ||
	    (head->epoch.n == count->epoch && head->seq.n <= count->seq)) {
		count->again++;
	} else {
		if (head->epoch.n == count->epoch && head->seq.n != count->seq + 1)
			die("count", "a batch is missing");
		count->events += verified.batch.n_events;
		count->epoch = head->epoch.n;
		count->seq = head->seq.n;
	}
	vl_arena_reset(arena);
}

static int count(char **args)
{
	struct vl_conf_pair pair = {"bootstrap.servers", args[0]};
	struct vl_arena *arena = vl_arena_open(0);
	struct vl_position positions[64];
	struct vl_consumer *consumer;
	struct vl_message *message;
	struct vl_ring *ring;
	struct vl_why why = {0};
	struct count found = {0};
	int32_t partitions, ended = 0;

	need("read keys", vl_ring_open(args[1], &ring, &why), &why);
	need("open a consumer", vl_consumer_open(&pair, 1, &consumer, &why), &why);
	need("find the topic",
	     vl_consumer_partitions(consumer, BENCH_LANE, 10000, &partitions, &why), &why);
	for (int32_t i = 0; i < partitions && i < 64; i++) {
		positions[i] = (struct vl_position){BENCH_LANE, i, VL_OFFSET_BEGINNING};
	}
	need("assign", vl_consumer_assign(consumer, positions, (size_t)partitions, &why), &why);
	while (ended < partitions) {
		enum vl_err err = vl_consumer_poll(consumer, 10000, &message, NULL, &why);
		if (err == VL_ERR_END) {
			ended++;
			continue;
		}
		need("read the topic", err, &why);
		count_record(&found, vl_message_record(message), ring, arena);
		vl_message_free(message);
	}
	printf("%lu %lu %lu\n", found.events, found.records, found.again);
	vl_consumer_close(consumer);
	vl_ring_close(ring);
	vl_arena_close(arena);
	return 0;
}

static int make_topic(char **args)
{
	struct vl_conf_pair pair = {"bootstrap.servers", args[0]};
	struct vl_topic topic = {.name = args[1], .partitions = 1, .replicas = 1};
	struct vl_admin *admin;
	struct vl_why why = {0};

	need("connect", vl_admin_open(&pair, 1, &admin, &why), &why);
	need("make the topic", vl_admin_create(admin, &topic, 10000, &why), &why);
	vl_admin_close(admin);
	return 0;
}

int main(int argc, char **argv)
{
	if (sodium_init() < 0)
		return 1;
	if (argc == 8 && strcmp(argv[1], "load") == 0)
		return load(argv + 2);
	if (argc == 4 && strcmp(argv[1], "free") == 0)
		return free_all(argv + 2);
	if (argc == 4 && strcmp(argv[1], "count") == 0)
		return count(argv + 2);
	if (argc == 4 && strcmp(argv[1], "topic") == 0)
		return make_topic(argv + 2);
	(void)fprintf(
		stderr,
		"usage: publish_bench load|free|count|topic ...; see tests/bench/publish.c\n");
	return 2;
}
