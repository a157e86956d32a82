/*
 * An outbox with a mark and a machine's id beside it, and copies of it that are put back as an
 * administrator might.
 *
 * Next: cli_fake_agent.h, an agent for programs.
 */
#ifndef VALISE_TESTS_AGENT_SHELF_H
#define VALISE_TESTS_AGENT_SHELF_H

#include "agent_fixture.h"

struct shelf {
	struct world *world;
	char mark[300], machine[300];
	struct vl_outbox_options options;
};

/* Sets *state to a shelf without an open outbox. */
int shelf_setup(void **state);
int shelf_teardown(void **state);

/* A command of the shell, which must end well. */
void shelf_run(const char *format, ...) __attribute__((format(printf, 1, 2)));

void shelf_start(struct shelf *shelf);
void shelf_stop(struct shelf *shelf);

/* As after kill -9: what was not written stays unwritten. */
void shelf_die(struct shelf *shelf);

/* Keep a copy of the outbox under that name; put it back. */
void shelf_save(struct shelf *shelf, const char *name);
void shelf_restore(struct shelf *shelf, const char *name);

/* One event, one commit. */
struct vl_accepted shelf_accept(struct shelf *shelf, uint64_t n);

/* The batch of cases with that number, or the next one; its bytes stay until the next commit. */
struct vl_outbox_batch shelf_batch(struct shelf *shelf, uint64_t epoch, uint64_t seq);

/* Events in the outbox, each id once. Every epoch's batches form a chain and are signed. */
unsigned shelf_audit(struct shelf *shelf);

#endif
