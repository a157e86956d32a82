/*
 * The ledger under fault: a fixed run of records, and the oracle that knows the content of the
 * ledger after each transaction of it.
 *
 * The records come from three missions over two partitions: batches in order and before their turn,
 * and replays. There are a forged one, one without a value, a stranger's, a fork, a new epoch, and
 * twins. One batch cannot be read here, and one waits for ever. The oracle is an undisturbed run: a
 * hash over every entry of every database after each transaction. A disturbed ledger must hold
 * exactly the content of one of those. Given the records from its own stored offsets on, it must
 * end as the undisturbed one did.
 *
 * Next: rot.h, corrupted disks.
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
	struct vl_arena *arenas[BOOK_RECORDS]; /* of the records of the open transaction */
	size_t n_arenas;
	struct book_record records[BOOK_RECORDS];
	size_t n_records;
	struct book_hash after[BOOK_STEPS + 1]; /* the content of the ledger after so many steps */
	struct vl_store *store;
	struct vl_applier *applier;
	int64_t from[2]; /* the stored offsets when it was opened */
	/* judge each record again when it is brought, as a run without memory should */
	bool verify;
	char wrong[300];
};

/* Make the records, and learn the expected content from an undisturbed run in `path`. */
void book_init(struct book *book, const char *path);
void book_free(struct book *book);

enum vl_err book_open(struct book *book);
void book_close(struct book *book);

/* Bring a step's records that the ledger does not have, in one transaction. */
enum vl_err book_step(struct book *book, unsigned step);

/* Bring all records that the ledger does not have, one by one. */
enum vl_err book_rest(struct book *book);

/* After how many steps the undisturbed ledger had the content of this open one; -1: never. */
int book_state(struct book *book);

/* Open the ledger. It must have its content after `kept` steps or one more. Then bring the rest;
 * it must end as it should. False, with the reason in `wrong`. */
bool book_check(struct book *book, unsigned kept);

bool book_wrong(struct book *book, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
