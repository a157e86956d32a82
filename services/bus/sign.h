/*
 * Signatures: Ed25519 over a domain and the digest of a batch.
 *
 * Pure: bytes in, bytes out. A key pair is made from its 32-byte seed alone. A public half stored
 * beside it is never trusted, because two halves that do not fit leak the seed.
 *
 * Next: keys.h, key files.
 */
#ifndef VALISE_BUS_SIGN_H
#define VALISE_BUS_SIGN_H

#include "base/err.h"
#include "bus/batch.h"

struct vl_public_key {
	uint8_t bytes[32];
};

/* First 16 bytes of BLAKE2b-256 of the public key. */
struct vl_key_id {
	uint8_t bytes[16];
};

struct vl_signature {
	uint8_t bytes[64];
};

/* The purpose of a signature. A drill can never be replayed as real. */
enum vl_domain { VL_DOMAIN_BATCH, VL_DOMAIN_DRILL };

/* The content-type header that goes with each domain; static. */
const char *vl_domain_content_type(enum vl_domain domain);

/* A signing key, in locked memory. */
struct vl_signer;

/* Make a signer from its seed; the caller wipes its own copy. NOMEM if no locked memory is
 * available. */
enum vl_err vl_signer_open(const uint8_t seed[32], struct vl_signer **signer) VL_CHECKED;
void vl_signer_close(struct vl_signer *signer);

/* Whether the key is locked in memory, so that it is never written to swap. */
bool vl_signer_locked(const struct vl_signer *signer);

const struct vl_public_key *vl_signer_public(const struct vl_signer *signer);
struct vl_key_id vl_key_id_of(const struct vl_public_key *key);

/* Sign, and verify the signature: a fault in the machine must not leak the key. BUG if it does
 * not verify. */
enum vl_err vl_sign(const struct vl_signer *signer, enum vl_domain domain,
		    const struct vl_digest *digest, struct vl_signature *signature) VL_CHECKED;

/* BAD_SIGNATURE, or ok. */
enum vl_err vl_verify(const struct vl_public_key *key, enum vl_domain domain,
		      const struct vl_digest *digest,
		      const struct vl_signature *signature) VL_CHECKED;

/* The header `vl-sig`: "<key id, 32 hex digits>.<signature, standard base64 with padding>". */
#define VL_SIG_HEADER "vl-sig"
#define VL_SIG_TEXT 122
void vl_sig_format(const struct vl_key_id *id, const struct vl_signature *signature,
		   char text[VL_SIG_TEXT]);

/* BAD_HEADER for any other text. The case of hex digits does not matter; otherwise exactly one
 * spelling is accepted. */
enum vl_err vl_sig_parse(struct vl_bytes text, struct vl_key_id *id,
			 struct vl_signature *signature) VL_CHECKED;

#endif
