/*
 * The oracle's own reader of batches: a second, small reader of the wire format, with libsodium. It
 * uses nothing of the product, so that a fault in the product's reader cannot hide itself.
 *
 * Next: outbox_world.h, the outbox under fault.
 */
#ifndef VALISE_TESTS_FAULTS_AUDIT_H
#define VALISE_TESTS_FAULTS_AUDIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AUDIT_LANES 8

struct audit_event {
	uint8_t id[16];
	char lane[48];
	uint64_t epoch, number;
	uint8_t digest[16]; /* of the event's bytes, its id apart */
};

/* How far a lane's chain has come. */
struct audit_chain {
	char lane[48];
	uint64_t epoch, seq, next_event;
	uint8_t digest[32];
};

/* Start with {0}, `mission` and `key` set; free with audit_free. */
struct audit {
	const char *mission;
	uint8_t key[32]; /* the sender's public key */
	struct audit_event *events;
	size_t n_events, room;
	struct audit_chain chains[AUDIT_LANES];
	size_t n_chains;
	uint64_t n_batches;
	char wrong[160]; /* the first fault; "" for none */
};

void audit_free(struct audit *audit);

/* Read a batch as the next of its lane: its signature (not as a drill), its number in the chain,
 * its events. False, with the reason in `wrong`, if anything does not fit. */
bool audit_batch(struct audit *audit, const uint8_t *value, size_t size,
		 const uint8_t signature[64]);

/* The event of that id; NULL if there is none. `times`: how often it is there. */
const struct audit_event *audit_find(const struct audit *audit, const uint8_t id[16],
				     unsigned *times);

/* The chain of a lane; NULL if it has no batch. */
const struct audit_chain *audit_chain(const struct audit *audit, const char *lane);

/* The digest of an event's bytes less its field 1, as in struct audit_event. And the id, all
 * zero if it has none. */
bool audit_read_event(const uint8_t *bytes, size_t size, uint8_t id[16], uint8_t digest[16]);

#endif
