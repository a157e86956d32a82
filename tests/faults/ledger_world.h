/*
 * The ledger under fault: a fixed run of records, and the oracle that knows what the ledger
 * holds after each transaction of it.
 *
 * The records come from three missions over two partitions: batches in order and before their
 * turn, replays, a forged one, one without a value, one of a stranger, a fork, a new epoch,
 * twins, a batch that cannot be read here, one that waits for ever. The oracle is a run that
 * nothing disturbed: a hash over every entry of every database after each transaction. A ledger
 * that was disturbed must hold exactly what one of those held, and, given the records from the
 * offsets that it itself has stored, must end as the undisturbed one did.
 */
#ifndef VALISE_TESTS_FAULTS_LEDGER_WORLD_H
#define VALISE_TESTS_FAULTS_LEDGER_WORLD_H

#include "hq_world.h"

#define BOOK_STEPS 8
#define BOOK_RECORDS 40
#define BOOK_SIZE ((size_t)64 << 20)

struct book_record {
	struct vl_record record;
	enum vl_err verdict;
	struct vl_verified verified;
	struct vl_fact *facts;
	struct vl_why why;
	unsigned step;
};

struct book_hash {
	uint8_t bytes[32];
};

struct book {
	char path[300];
	size_t size;
	struct world world; /* of its senders; it has no ledger */
	struct vl_arena *arena, *own;
	struct vl_arena *arenas[BOOK_RECORDS]; /* of the records of the transaction under way */
	size_t n_arenas;
	struct book_record records[BOOK_RECORDS];
	size_t n_records;
	struct book_hash after[BOOK_STEPS + 1]; /* what the ledger holds after so many steps */
	struct vl_store *store;
	struct vl_applier *applier;
	int64_t from[2]; /* the stored offsets when it was opened */
	/* judge each record again when it is brought, as a run without memory should */
	bool verify;
	char wrong[300];
};

/* Make the records, and learn from an undisturbed run in `path` what is to be expected. */
void book_init(struct book *book, const char *path);
void book_free(struct book *book);

enum vl_err book_open(struct book *book);
void book_close(struct book *book);

/* Bring a step's records, of those that the ledger has not, in one transaction. */
enum vl_err book_step(struct book *book, unsigned step);

/* Bring everything that the ledger has not, record by record. */
enum vl_err book_rest(struct book *book);

/* After how many steps the undisturbed ledger held what this open one does; -1: never. */
int book_state(struct book *book);

/* Open the ledger, which must hold what it did after `kept` steps or one more; bring the rest;
 * it must end as it should. False, and `wrong` says why. */
bool book_check(struct book *book, unsigned kept);

bool book_wrong(struct book *book, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
