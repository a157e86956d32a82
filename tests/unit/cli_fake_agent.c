#include "cli_fake_agent.h"

#include "cli/cli.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <valise/v1/agent.pb-c.h>
#include <valise/v1/batch.pb-c.h>

static bool read_all(int fd, void *to, size_t count)
{
	uint8_t *at = to;

	while (count > 0) {
		ssize_t n = recv(fd, at, count, 0);
		if (n <= 0)
			return false;
		at += n;
		count -= (size_t)n;
	}
	return true;
}

static size_t id_number(struct fake_agent *agent, const ProtobufCBinaryData *id)
{
	size_t i = 0;

	assert_int_equal(16, id->len);
	while (i < agent->n_ids && agent->n_ids < 1000 &&
	       memcmp(agent->ids[i].bytes, id->data, 16) != 0)
		i++;
	if (agent->n_ids >= 1000)
		i = agent->n_ids; /* many: take them as new */
	if (i == agent->n_ids)
		memcpy(agent->ids[agent->n_ids++].bytes, id->data, 16);
	return i;
}

static Valise__V1__PublishResult *result_of(struct fake_agent *agent,
					    const Valise__V1__Event *event, bool unknown)
{
	Valise__V1__PublishResult *result = malloc(sizeof(*result));
	size_t before = agent->n_ids, i = 0;

	valise__v1__publish_result__init(result);
	if (unknown || strcmp(event->subject, "refuse") == 0) {
		result->outcome_case = VALISE__V1__PUBLISH_RESULT__OUTCOME_REFUSED;
		result->refused = malloc(sizeof(*result->refused));
		valise__v1__refused__init(result->refused);
		result->refused->cause =
			unknown ? VALISE__V1__REFUSED_CAUSE__REFUSED_CAUSE_UNKNOWN_OUTCOME
				: VALISE__V1__REFUSED_CAUSE__REFUSED_CAUSE_FULL;
		result->refused->reason = strdup("no room for ROUTINE");
		return result;
	}
	i = id_number(agent, &event->id);
	result->outcome_case = VALISE__V1__PUBLISH_RESULT__OUTCOME_ACCEPTED;
	result->accepted = malloc(sizeof(*result->accepted));
	valise__v1__accepted__init(result->accepted);
	result->accepted->lane = strdup("consular.case.v1");
	result->accepted->epoch = 7;
	result->accepted->event = i + 1;
	result->accepted->duplicate = i < before;
	return result;
}

static bool send_response(int fd, const Valise__V1__PublishResponse *response)
{
	size_t size = valise__v1__publish_response__get_packed_size(response);
	uint8_t *frame = malloc(4 + size);

	vl_put_be32(frame, (uint32_t)size);
	valise__v1__publish_response__pack(response, frame + 4);
	/* In two pieces: a frame need not come whole. */
	size_t half = (4 + size) / 2;
	bool sent =
		send(fd, frame, half, MSG_NOSIGNAL) == (ssize_t)half &&
		send(fd, frame + half, 4 + size - half, MSG_NOSIGNAL) == (ssize_t)(4 + size - half);
	free(frame);
	return sent;
}

/* False where the connection is to end. */
static bool answer_request(struct fake_agent *agent, const struct fake_play *play, int fd,
			   const Valise__V1__PublishRequest *request, int *left)
{
	Valise__V1__PublishResponse response = VALISE__V1__PUBLISH_RESPONSE__INIT;
	Valise__V1__PublishResult **results =
		calloc(request->n_events + 1, sizeof(Valise__V1__PublishResult *));
	bool more = true, ends = false;

	for (size_t i = 0; i < request->n_events; i++) {
		ends = ends || (play->closes_after >= 0 && (*left)-- == 0);
		results[i] = result_of(agent, request->events[i], ends && play->unknown);
	}
	response.tag = request->tag;
	response.n_results = request->n_events;
	response.results = results;
	agent->events += request->n_events;
	agent->requests++;
	if (request->n_events > agent->most)
		agent->most = request->n_events;
	if (ends && play->garbage != NULL)
		(void)!send(fd, play->garbage, play->n_garbage, MSG_NOSIGNAL);
	else if (!ends || play->answers_last || play->unknown)
		more = send_response(fd, &response);
	for (size_t i = 0; i < request->n_events; i++)
		valise__v1__publish_result__free_unpacked(results[i], NULL);
	free(results);
	return more && (!ends || play->unknown || play->garbage != NULL);
}

static void serve(struct fake_agent *agent, const struct fake_play *play, int fd)
{
	int left = play->closes_after;
	uint8_t head[4];
	bool more = true;

	while (more && read_all(fd, head, sizeof(head))) {
		uint32_t size = vl_get_be32(head);
		assert_true(size <= 1 << 20);
		uint8_t *bytes = malloc(size + 1);
		more = read_all(fd, bytes, size);
		Valise__V1__PublishRequest *request =
			more ? valise__v1__publish_request__unpack(NULL, size, bytes) : NULL;
		free(bytes);
		if (request == NULL)
			break;
		more = answer_request(agent, play, fd, request, &left);
		valise__v1__publish_request__free_unpacked(request, NULL);
	}
	(void)close(fd);
}

static void *run_agent(void *context)
{
	struct fake_agent *agent = context;

	for (size_t i = 0; i < agent->n_plays; i++) {
		int fd = accept(agent->listener, NULL, NULL);
		if (fd < 0)
			break;
		serve(agent, &agent->plays[i], fd);
	}
	(void)close(agent->listener);
	return NULL;
}

void fake_start(struct fake_agent *agent, const struct fake_play *plays, size_t n_plays)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	memset(agent, 0, sizeof(*agent));
	(void)strcpy(agent->dir, "/tmp/valise-cli-XXXXXX");
	assert_non_null(mkdtemp(agent->dir));
	(void)snprintf(agent->path, sizeof(agent->path), "%s/s", agent->dir);
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", agent->path);
	agent->listener = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(0, bind(agent->listener, (struct sockaddr *)&address, sizeof(address)));
	assert_int_equal(0, listen(agent->listener, 8));
	agent->plays = plays;
	agent->n_plays = n_plays;
	assert_int_equal(0, pthread_create(&agent->thread, NULL, run_agent, agent));
}

void fake_stop(struct fake_agent *agent)
{
	assert_int_equal(0, pthread_join(agent->thread, NULL));
	(void)unlink(agent->path);
	(void)rmdir(agent->dir);
}

/* -- publishing, and what is printed -- */

static struct vl_time fixed(void *context)
{
	(void)context;
	return (struct vl_time){1700000000, 0};
}

const struct vl_clock run_clock = {fixed, NULL};

static void keep(void *context, struct vl_bytes lines)
{
	vl_buf_put(context, lines.data, lines.size);
}

static struct run publish_fd(const char *socket, int input, int patience_ms)
{
	struct run run = {{0}, {0}, 0};
	FILE *talk = tmpfile();
	int real = dup(STDERR_FILENO);

	assert_true(talk != NULL && dup2(fileno(talk), STDERR_FILENO) >= 0);
	run.code = cli_publish_run(&(struct cli_publish){.input = input,
							 .name = "in",
							 .socket = socket,
							 .print = keep,
							 .context = &run.out,
							 .patience_ms = patience_ms,
							 .clock = &run_clock,
							 .rand = &vl_rand_system});
	assert_true(dup2(real, STDERR_FILENO) >= 0);
	(void)close(real);
	off_t size = lseek(fileno(talk), 0, SEEK_END);
	assert_int_equal(size,
			 pread(fileno(talk), vl_buf_add(&run.talk, (size_t)size), (size_t)size, 0));
	(void)fclose(talk);
	return run;
}

struct run run_publish(const char *socket, struct vl_bytes input, int patience_ms)
{
	FILE *file = tmpfile();

	assert_non_null(file);
	assert_int_equal(input.size, fwrite(input.data, 1, input.size, file));
	rewind(file);
	struct run run = publish_fd(socket, fileno(file), patience_ms);
	(void)fclose(file);
	return run;
}

void run_free(struct run *run)
{
	vl_buf_free(&run->out);
	vl_buf_free(&run->talk);
}

size_t count_of(const char *text, const char *what)
{
	size_t n = 0;

	for (const char *at = strstr(text, what); at != NULL; at = strstr(at + 1, what))
		n++;
	return n;
}

void assert_count(size_t expected, struct vl_buf *text, const char *what)
{
	if (count_of(vl_buf_text(text), what) != expected)
		fail_msg("not %zu times '%s' in:\n%s", expected, what, vl_buf_text(text));
}
