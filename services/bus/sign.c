#include "bus/sign.h"

#include "base/failpoint.h"
#include "base/text.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define DOMAIN_SIZE ((size_t)16) /* text and NULs to fill */
#define BASE64_SIZE ((size_t)88) /* of a signature, padding included */

struct vl_signer {
	struct vl_public_key public;
	uint8_t *secret; /* libsodium's 64 bytes, in a guarded page that nothing can write */
	bool locked;
};

struct signed_bytes {
	uint8_t bytes[DOMAIN_SIZE + sizeof(struct vl_digest)];
};

const char *vl_domain_content_type(enum vl_domain domain)
{
	switch (domain) {
	case VL_DOMAIN_BATCH:
		return "application/vnd.valise.batch.v1+protobuf";
	case VL_DOMAIN_DRILL:
		return "application/vnd.valise.drill.v1+protobuf";
	}
	return "";
}

static struct signed_bytes signed_bytes(enum vl_domain domain, const struct vl_digest *digest)
{
	static const char batch[DOMAIN_SIZE] = "valise/batch/v1",
			  drill[DOMAIN_SIZE] = "valise/drill/v1";
	struct signed_bytes message;

	memcpy(message.bytes, domain == VL_DOMAIN_DRILL ? drill : batch, DOMAIN_SIZE);
	memcpy(message.bytes + DOMAIN_SIZE, digest->bytes, sizeof(digest->bytes));
	return message;
}

enum vl_err vl_signer_open(const uint8_t seed[32], struct vl_signer **signer)
{
	*signer = NULL;
	if (sodium_init() < 0)
		return VL_ERR_BUG;
	struct vl_signer *made = calloc(1, sizeof(*made));
	uint8_t *secret = sodium_malloc(crypto_sign_SECRETKEYBYTES);
	if (made == NULL || secret == NULL)
		goto fail;
	(void)crypto_sign_seed_keypair(made->public.bytes, secret, seed);
	/* sodium_malloc has tried, and says nothing where it could not. */
	made->locked = !vl_failpoint("signer.lock") &&
		       sodium_mlock(secret, crypto_sign_SECRETKEYBYTES) == 0;
	if (sodium_mprotect_readonly(secret) != 0)
		goto fail;
	made->secret = secret;
	*signer = made;
	return VL_OK;
fail:
	sodium_free(secret);
	free(made);
	return VL_ERR_NOMEM;
}

void vl_signer_close(struct vl_signer *signer)
{
	if (signer == NULL)
		return;
	sodium_free(signer->secret); /* wipes it */
	free(signer);
}

bool vl_signer_locked(const struct vl_signer *signer)
{
	return signer->locked;
}

const struct vl_public_key *vl_signer_public(const struct vl_signer *signer)
{
	return &signer->public;
}

struct vl_key_id vl_key_id_of(const struct vl_public_key *key)
{
	struct vl_key_id id;
	uint8_t hash[32];

	(void)crypto_generichash(hash, sizeof(hash), key->bytes, sizeof(key->bytes), NULL, 0);
	memcpy(id.bytes, hash, sizeof(id.bytes));
	return id;
}

enum vl_err vl_sign(const struct vl_signer *signer, enum vl_domain domain,
		    const struct vl_digest *digest, struct vl_signature *signature)
{
	struct signed_bytes message = signed_bytes(domain, digest);

	if (crypto_sign_detached(signature->bytes, NULL, message.bytes, sizeof(message.bytes),
				 signer->secret) == 0 &&
	    vl_verify(&signer->public, domain, digest, signature) == VL_OK)
		return VL_OK;
	sodium_memzero(signature, sizeof(*signature));
	return VL_ERR_BUG;
}

enum vl_err vl_verify(const struct vl_public_key *key, enum vl_domain domain,
		      const struct vl_digest *digest, const struct vl_signature *signature)
{
	struct signed_bytes message = signed_bytes(domain, digest);
	int wrong = crypto_sign_verify_detached(signature->bytes, message.bytes,
						sizeof(message.bytes), key->bytes);

	return wrong == 0 ? VL_OK : VL_ERR_BAD_SIGNATURE;
}

void vl_sig_format(const struct vl_key_id *id, const struct vl_signature *signature,
		   char text[VL_SIG_TEXT])
{
	size_t digits = 2 * sizeof(id->bytes);

	(void)vl_hex(id->bytes, sizeof(id->bytes), text);
	text[digits] = '.';
	(void)sodium_bin2base64(text + digits + 1, VL_SIG_TEXT - digits - 1, signature->bytes,
				sizeof(signature->bytes), sodium_base64_VARIANT_ORIGINAL);
}

enum vl_err vl_sig_parse(struct vl_bytes text, struct vl_key_id *id, struct vl_signature *signature)
{
	const char *at = (const char *)text.data;
	size_t digits = 2 * sizeof(id->bytes), size = 0;

	if (text.size != VL_SIG_TEXT - 1 || at[digits] != '.' ||
	    !vl_unhex(at, digits, id->bytes, sizeof(id->bytes)))
		return VL_ERR_BAD_HEADER;
	/* Strict: bad padding, or stray bits in the last digit, are refused. */
	if (sodium_base642bin(signature->bytes, sizeof(signature->bytes), at + digits + 1,
			      BASE64_SIZE, NULL, &size, NULL,
			      sodium_base64_VARIANT_ORIGINAL) != 0 ||
	    size != sizeof(signature->bytes))
		return VL_ERR_BAD_HEADER;
	return VL_OK;
}

_Static_assert(VL_SIG_TEXT == 2 * sizeof(struct vl_key_id) + 1 + BASE64_SIZE + 1,
	       "id, point, base64, NUL");
