/*
 * A program of your own: it gives one event to the agent and waits until the event is recorded.
 *
 *   cc example.c -o example $(pkg-config --cflags --libs valise)
 *   ./example SOCKET TYPE SUBJECT <PAYLOAD
 */
#include <inttypes.h>
#include <stdio.h>
#include <valise/client.h>

int main(int argc, char **argv)
{
	static char payload[900000];
	struct vl_client_answer answer;

	if (argc != 4) {
		(void)fprintf(stderr, "usage: example SOCKET TYPE SUBJECT <PAYLOAD\n");
		return 2;
	}
	struct vl_client_event event = {
		.type = argv[2],
		.payload = payload,
		.size = fread(payload, 1, sizeof(payload), stdin),
		.subject = argv[3],
		.actor = "system:example",
	};
	struct vl_client_options options = {.socket = argv[1], .patience_ms = 30000};
	struct vl_client *client = vl_client_open(&options);
	if (client == NULL)
		return 1;
	bool accepted = vl_client_publish(client, &event, &answer);
	if (accepted)
		printf("recorded: event %" PRIu64 " of epoch %" PRIu64 " on lane %s\n",
		       answer.event, answer.epoch, answer.lane);
	else
		(void)fprintf(stderr, "example: cannot publish '%s': %s\n", argv[3], answer.reason);
	vl_client_close(client);
	return accepted ? 0 : 1;
}
