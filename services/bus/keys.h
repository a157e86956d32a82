/*
 * Keys on disk: making a pair, and loading the secret half.
 *
 * A sender's secret key is `<id>.key`: one line, `<id> <seed, 64 hex digits>`, mode 0600, owned by
 * the user that runs the agent. Its public key is `<id>.pub`: one line, `<id> <public key, 64 hex
 * digits>`. Lines that begin with '#' are comments.
 *
 * Next: key_file.h, how a key file is read.
 */
#ifndef VALISE_BUS_KEYS_H
#define VALISE_BUS_KEYS_H

#include "base/err.h"
#include "base/rand.h"
#include "bus/sign.h"

#include <stdbool.h>

/* Make a key pair for `id` in folder `dir` (made if missing, 0700): O_EXCL, fsync, 0600 both.
 * EXISTS if a key of that id exists; nothing is overwritten. `line`, with room for VL_KEY_LINE,
 * gets the public line without newline. */
#define VL_KEY_LINE (VL_MISSION_MAX + 1 + 64 + 1)
enum vl_err vl_key_new(const char *dir, const char *id, const struct vl_rand *rand,
		       char line[VL_KEY_LINE], struct vl_why *why) VL_CHECKED;

/* Read a secret key file. PERMISSION if others than the owner may read it, or if the owner is
 * neither this process's user nor root. INVALID if it is not such a line, or is for another id
 * than `id` (unless `id` is NULL). */
enum vl_err vl_key_load(const char *path, const char *id, struct vl_signer **signer,
			struct vl_why *why) VL_CHECKED;

#endif
