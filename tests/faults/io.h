/*
 * Faults of the disk. Every call by which a store reaches its files comes through here (-Wl,--wrap,
 * with a static LMDB); the product has nothing of it. Files outside the watched folder are left
 * alone.
 *
 * There are three uses. It counts the calls. It makes the N-th fail, once or from then on. It
 * records every write and barrier, of which image.h then makes the disk of a crash at any point.
 *
 * Next: image.h, disks after a crash.
 */
#ifndef VALISE_TESTS_FAULTS_IO_H
#define VALISE_TESTS_FAULTS_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Watch files below `folder`; NULL: none. Counting begins again. */
void io_watch(const char *folder);

/* The effect of a failing call before it fails. */
enum io_how {
	IO_NOTHING, /* nothing */
	/* all of it: the data is there, and yet it failed (a write that could not be synced) */
	IO_DONE,
	/* half of it; a write then returns the half, as a full disk makes it, and not `error` */
	IO_HALF,
	IO_STUCK, /* the first is done all the same; the later failing ones do nothing */
	IO_HOWS,
};

struct io_fault {
	uint64_t nth; /* from 1 */
	int error;
	enum io_how how;
	bool for_ever;
};

/* From now on, counting from 1 again, let a call fail. NULL: none. */
void io_fail(const struct io_fault *fault);

uint64_t io_calls(void);  /* since io_watch or io_fail */
uint64_t io_failed(void); /* how many of them were made to fail */

/* Barriers return at once: for checking images, which no crash will follow. */
void io_lazy(bool lazy);

enum io_kind { IO_WRITE, IO_SYNC, IO_RENAME, IO_MARK };

/* One event on the disk. */
struct io_event {
	enum io_kind kind;
	uint64_t file; /* its inode */
	/* below the watched folder, as it was then; "" is the folder; for a rename the new name */
	char name[48];
	uint64_t offset;
	size_t size;
	uint8_t *bytes;
	bool durable;  /* written through O_DSYNC */
	uint64_t mark; /* of a mark */
};

struct io_record {
	struct io_event *events;
	size_t count, room;
};

/* Begin to record; NULL: stop. Free the record with io_record_free. */
void io_record(struct io_record *record);
void io_record_free(struct io_record *record);

/* Note in the record that the product has promised something: the later events follow that. */
void io_mark(uint64_t mark);

#endif
