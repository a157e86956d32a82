/*
 * Keys on disk, and the ring of public keys that headquarters and the tools verify with.
 *
 * A sender's secret key is `<id>.key`: one line, `<id> <seed, 64 hex digits>`, mode 0600, owned by whoever runs the agent.
 * Its public key is `<id>.pub`: one line, `<id> <public key, 64 hex digits>`. Lines beginning with '#' are comments.
 */
#ifndef VALISE_BUS_KEYS_H
#define VALISE_BUS_KEYS_H

#include "base/err.h"
#include "base/rand.h"
#include "bus/sign.h"

/* Make a key pair for `id` in folder `dir` (made if missing, 0700): O_EXCL, fsync, 0600 both. EXISTS where a key of that id
 * is there already: nothing is overwritten. `line`, with room for VL_KEY_LINE, gets the public line without newline. */
#define VL_KEY_LINE (VL_MISSION_MAX + 1 + 64 + 1)
enum vl_err vl_key_new(const char *dir, const char *id, const struct vl_rand *rand, char line[VL_KEY_LINE],
                       struct vl_why *why) VL_CHECKED;

/* Read a secret key file. PERMISSION where others than the owner may read it, or the owner is neither this process's user
 * nor root; INVALID where it is not such a line or is for another id than `id` (unless `id` is NULL). */
enum vl_err vl_key_load(const char *path, const char *id, struct vl_signer **signer, struct vl_why *why) VL_CHECKED;

/* A ring of public keys, by key id. */
struct vl_ring;

/* One enrolled sender. */
struct vl_ring_entry {
	char mission[VL_MISSION_MAX + 1];
	struct vl_public_key key;
	struct vl_key_id id;
};

/* Read every `*.pub` file of a folder, links followed, names beginning with '.' left out. A file that cannot be
 * used, a key that is not on the curve or of small order, and a key enrolled for two senders fail the
 * whole ring, naming the file: a silently shorter ring would dead-letter good news. */
enum vl_err vl_ring_open(const char *dir, struct vl_ring **ring, struct vl_why *why) VL_CHECKED;
void vl_ring_close(struct vl_ring *ring);

/* The sender a key id stands for, or NULL. Safe from several threads at once. */
const struct vl_ring_entry *vl_ring_find(const struct vl_ring *ring, const struct vl_key_id *id);
size_t vl_ring_count(const struct vl_ring *ring);

#endif
