/*
 * The key ring: the public keys of all senders. Headquarters, the agents and the tools verify with
 * it.
 *
 * It is read from a folder. Each file `NAME.pub` holds one key: a line `<id> <public key, 64 hex
 * digits>`. A sender may have several. Keys of the past are in the subfolder `past`, in files of
 * the same form with more lines:
 *
 *     ended
 *     until consular.case.v1 1700000000 12
 *
 * `ended` says that the key signs nothing new. Each `until LANE EPOCH BATCH` names the last batch
 * up to which it stays good on that lane. A key ends at a batch and never at a time, since a
 * sender's clock proves nothing. If a key is replaced or removed, headquarters writes these files
 * itself (hq/ingest/keybook.h).
 *
 * A file that cannot be used is left out and named (vl_ring_fault), and the other keys stay usable.
 * CR LF, blanks at the ends, a byte order mark and capital hex digits are accepted.
 *
 * Next: record.h, whether a Kafka record may be believed.
 */
#ifndef VALISE_BUS_RING_H
#define VALISE_BUS_RING_H

#include "base/err.h"
#include "bus/batch.h"
#include "bus/sign.h"

#include <stdbool.h>

struct vl_ring;

/* The last batch of a lane up to which a key is good. */
#define VL_KEY_LANE_MAX ((size_t)96)
struct vl_key_end {
	char lane[VL_KEY_LANE_MAX + 1];
	struct vl_epoch epoch;
	struct vl_seq seq;
};

/* One enrolled key. */
#define VL_RING_FILE ((size_t)256)
struct vl_ring_entry {
	char mission[VL_MISSION_MAX + 1];
	char file[VL_RING_FILE]; /* the name of its file */
	struct vl_public_key key;
	struct vl_key_id id;
	bool ended;              /* it signs nothing new */
	size_t n_ends;           /* where `ended`: at most one for each lane */
	struct vl_key_end *ends; /* the ring's */
};

/* Read a folder. It fails only if the folder itself cannot be read, or memory ends. Files are
 * read in the order of their names. Links are followed, and names that begin with '.' are left
 * out. */
enum vl_err vl_ring_open(const char *dir, struct vl_ring **ring, struct vl_why *why) VL_CHECKED;
void vl_ring_close(struct vl_ring *ring);

/* The i-th file that was left out, as "NAME: reason"; NULL behind the last. Valid until close. */
const char *vl_ring_fault(const struct vl_ring *ring, size_t i);

/* Whether a file of that name is among the faults. */
bool vl_ring_faulty(const struct vl_ring *ring, const char *file);

/* The key of an id, or NULL. Safe from several threads at once. */
const struct vl_ring_entry *vl_ring_find(const struct vl_ring *ring, const struct vl_key_id *id);

/* Whether the key is good for that batch of the lane. */
bool vl_ring_holds(const struct vl_ring_entry *entry, struct vl_bytes lane, struct vl_epoch epoch,
		   struct vl_seq seq);

/* All keys, in the order of their ids. */
size_t vl_ring_count(const struct vl_ring *ring);
const struct vl_ring_entry *vl_ring_at(const struct vl_ring *ring, size_t i);

/* Add a copy of an entry before the ring is in use. A key that is present and still signs stays
 * as it is. A key that has ended gets the later of both ends on each lane. INVALID if the key is
 * another sender's. */
enum vl_err vl_ring_add(struct vl_ring *ring, const struct vl_ring_entry *entry,
			struct vl_why *why) VL_CHECKED;

/* Give an end on a lane to an entry that is not in a ring. If it has one, the later counts. Its
 * `ends` are freed with free(). */
enum vl_err vl_ring_entry_end(struct vl_ring_entry *entry, const struct vl_key_end *end) VL_CHECKED;

/* Write an ended key into `dir`/past, which is made if it is missing. EXISTS if its file exists;
 * that one stays. */
enum vl_err vl_ring_keep_past(const char *dir, const struct vl_ring_entry *entry,
			      struct vl_why *why) VL_CHECKED;

#endif
