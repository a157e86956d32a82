#include "bus/sign.h"

#include "bus_fixture.h"

#include <sodium.h>

/* Seeds and public keys of RFC 8032, section 7.1, tests 1 to 3. The signatures are over our
 * domains and the digest of "abc", as an implementation of RFC 8032 in Python made them. */
struct vector {
	const char *seed, *public, *id, *batch, *drill, *header;
};

static const struct vector vectors[] = {
	{
		"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
		"d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
		"7849ac3049680be1ef762efe0d36e017",
		"79104db195363f63d48bab8bd726b19729bd1a7d533fc145de83d7840c5be30c"
		"5573b9c4f9c3231e96cca8c70f52e3f0f9af56e1cba981ba44d540c411905d0b",
		"9a9be41e8fbbac382b76a2b2cc22b7aa7d1b77875c08b8a2de836b38610df31b"
		"2f7bf8b72f1c6a167ccfcc80c7144c97702f32fdb5da80e729435844cf7e4600",
		"7849ac3049680be1ef762efe0d36e017.eRBNsZU2P2PUi6uL1yaxlym9Gn1TP8FF3oPXhAxb4wxVc7nE+"
		"cMjHpbMqMcPUuPw"
		"+a9W4cupgbpE1UDEEZBdCw==",
	},
	{
		"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
		"3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
		"6ec9e955a19ba3c9f33850081a0f63fa",
		"85628c368bd8ba4819cafae364ea06e8bc6cd66544ede17e19760e5077676cb7"
		"30f3d79f58d6d7480c75e5bb2da611c0ab39dbfc798af2376c9b91d6474cbb08",
		"8b4462a5d443c27043d85bbabb319487c5df6c3e37ebcc1b84ed7775e6d0b599"
		"2fa03a9a279de3363d8f9f8d6b8a3a61558630b9423e7f8d24a257ade3c44406",
		"6ec9e955a19ba3c9f33850081a0f63fa.hWKMNovYukgZyvrjZOoG6Lxs1mVE7eF+"
		"GXYOUHdnbLcw89efWNbXSAx15bstphHA"
		"qznb/HmK8jdsm5HWR0y7CA==",
	},
	{
		"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
		"fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
		"a64ff339163269280c28f353461f3fad",
		"b434b8b8f55d2754087fcc165dc68fd80b2830f3f968eaadc0b98f22908ef381"
		"0ca05b3f2c8e2c80136ad67ac8103fab2426a4232c5912279cdb3dacd9b9480d",
		"48da1ff74e3c6b714e9ee871bdeb7c7fad5672c0238eb69d6c198bca6c6e6da9"
		"e5beb98f7345962b862c5d2ffa90f63b5c2e2565d1bf738b395704ef2908c409",
		"a64ff339163269280c28f353461f3fad.tDS4uPVdJ1QIf8wWXcaP2AsoMPP5aOqtwLmPIpCO84EMoFs/"
		"LI4sgBNq1nrIED+r"
		"JCakIyxZEiec2z2s2blIDQ==",
	},
};
enum { VECTORS = sizeof(vectors) / sizeof(vectors[0]) };

static struct vl_signer *open_vector(const struct vector *vector)
{
	struct vl_signer *signer;
	uint8_t seed[32];

	assert_true(vl_unhex(vector->seed, 64, seed, 32));
	assert_int_equal(VL_OK, vl_signer_open(seed, &signer));
	return signer;
}

static void assert_hex(const char *expected, const void *bytes, size_t count)
{
	char hex[129];

	assert_string_equal(expected, vl_hex(bytes, count, hex));
}

static void test_vectors(void **state)
{
	struct vl_digest digest = vl_batch_digest(BYTES("abc"));

	(void)state;
	for (int i = 0; i < VECTORS; i++) {
		struct vl_signer *signer = open_vector(&vectors[i]);
		struct vl_key_id id = vl_key_id_of(vl_signer_public(signer));
		struct vl_signature signature;
		char text[VL_SIG_TEXT];
		assert_hex(vectors[i].public, vl_signer_public(signer)->bytes, 32);
		assert_hex(vectors[i].id, id.bytes, 16);
		assert_int_equal(VL_OK, vl_sign(signer, VL_DOMAIN_DRILL, &digest, &signature));
		assert_hex(vectors[i].drill, signature.bytes, 64);
		assert_int_equal(VL_OK, vl_sign(signer, VL_DOMAIN_BATCH, &digest, &signature));
		assert_hex(vectors[i].batch, signature.bytes, 64);
		assert_int_equal(VL_OK, vl_verify(vl_signer_public(signer), VL_DOMAIN_BATCH,
						  &digest, &signature));
		vl_sig_format(&id, &signature, text);
		assert_string_equal(vectors[i].header, text);
		vl_signer_close(signer);
	}
}

/* What RFC 8032 itself signs, so that libsodium is known to be what we think it is. */
static void test_rfc8032(void **state)
{
	uint8_t seed[32], public[32], secret[64], signature[64];

	(void)state;
	assert_true(vl_unhex(vectors[0].seed, 64, seed, 32));
	assert_int_equal(0, crypto_sign_seed_keypair(public, secret, seed));
	assert_int_equal(0, crypto_sign_detached(signature, NULL, NULL, 0, secret));
	assert_hex("e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33ba"
		   "cc61e39701cf9b46bd25"
		   "bf5f05"
		   "95bbe24655141438e7a100b",
		   signature, 64);
}

static void test_flipped_bits(void **state)
{
	struct vl_signer *signer = open_vector(&vectors[0]);
	struct vl_public_key key = *vl_signer_public(signer);
	struct vl_digest digest = vl_batch_digest(BYTES("abc"));
	struct vl_signature signature;

	(void)state;
	assert_int_equal(VL_OK, vl_sign(signer, VL_DOMAIN_BATCH, &digest, &signature));
	for (size_t bit = 0; bit < 8 * sizeof(signature); bit++) {
		signature.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(VL_ERR_BAD_SIGNATURE,
				 vl_verify(&key, VL_DOMAIN_BATCH, &digest, &signature));
		signature.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (size_t bit = 0; bit < 8 * sizeof(digest); bit++) {
		digest.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(VL_ERR_BAD_SIGNATURE,
				 vl_verify(&key, VL_DOMAIN_BATCH, &digest, &signature));
		digest.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (size_t bit = 0; bit < 8 * sizeof(key); bit++) {
		key.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(VL_ERR_BAD_SIGNATURE,
				 vl_verify(&key, VL_DOMAIN_BATCH, &digest, &signature));
		key.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	assert_int_equal(VL_OK, vl_verify(&key, VL_DOMAIN_BATCH, &digest, &signature));
	vl_signer_close(signer);
}

/* A drill is never taken for real, nor the other way round. */
static void test_wrong_domain(void **state)
{
	struct vl_signer *signer = open_vector(&vectors[1]);
	const struct vl_public_key *key = vl_signer_public(signer);
	struct vl_digest digest = vl_batch_digest(BYTES("abc"));
	struct vl_signature batch, drill;

	(void)state;
	assert_int_equal(VL_OK, vl_sign(signer, VL_DOMAIN_BATCH, &digest, &batch));
	assert_int_equal(VL_OK, vl_sign(signer, VL_DOMAIN_DRILL, &digest, &drill));
	assert_int_equal(VL_OK, vl_verify(key, VL_DOMAIN_DRILL, &digest, &drill));
	assert_int_equal(VL_ERR_BAD_SIGNATURE, vl_verify(key, VL_DOMAIN_DRILL, &digest, &batch));
	assert_int_equal(VL_ERR_BAD_SIGNATURE, vl_verify(key, VL_DOMAIN_BATCH, &digest, &drill));
	vl_signer_close(signer);
}

static void test_wrong_key(void **state)
{
	struct vl_signer *one = open_vector(&vectors[0]), *other = open_vector(&vectors[1]);
	struct vl_public_key neutral = {{1}};
	struct vl_digest digest = vl_batch_digest(BYTES("abc"));
	struct vl_signature signature, forged = {{1}};

	(void)state;
	assert_int_equal(VL_OK, vl_sign(one, VL_DOMAIN_BATCH, &digest, &signature));
	assert_int_equal(VL_ERR_BAD_SIGNATURE,
			 vl_verify(vl_signer_public(other), VL_DOMAIN_BATCH, &digest, &signature));
	/* The neutral element as key and as R, with S = 0, fits every message where small order
	 * is let in. */
	assert_int_equal(VL_ERR_BAD_SIGNATURE,
			 vl_verify(&neutral, VL_DOMAIN_BATCH, &digest, &forged));
	vl_signer_close(one);
	vl_signer_close(other);
	vl_signer_close(NULL);
}

static void test_content_type(void **state)
{
	(void)state;
	assert_string_equal("application/vnd.valise.batch.v1+protobuf",
			    vl_domain_content_type(VL_DOMAIN_BATCH));
	assert_string_equal("application/vnd.valise.drill.v1+protobuf",
			    vl_domain_content_type(VL_DOMAIN_DRILL));
}

static enum vl_err parse(const char *text, size_t size)
{
	struct vl_key_id id;
	struct vl_signature signature;
	struct vl_bytes exact = fixture_exact((struct vl_bytes){(const uint8_t *)text, size});
	enum vl_err err = vl_sig_parse(exact, &id, &signature);

	fixture_release(exact);
	return err;
}

static void test_header_parse(void **state)
{
	const char *header = vectors[0].header;
	struct vl_key_id id;
	struct vl_signature signature;
	char text[VL_SIG_TEXT + 1];

	(void)state;
	assert_int_equal(VL_SIG_TEXT - 1, strlen(header));
	assert_int_equal(VL_OK, vl_sig_parse(fixture_text(header), &id, &signature));
	assert_hex(vectors[0].id, id.bytes, 16);
	assert_hex(vectors[0].batch, signature.bytes, 64);
	(void)strcpy(text, header);
	for (int i = 0; i < 32; i++)
		text[i] = (char)(text[i] >= 'a' && text[i] <= 'f' ? text[i] - 32 : text[i]);
	assert_int_equal(VL_OK, parse(text, VL_SIG_TEXT - 1));
}

/* Each character spoilt, each length but the right one, and base64 in its other spellings. */
static void test_header_refusals(void **state)
{
	const char *header = vectors[0].header;
	char text[VL_SIG_TEXT + 1] = {0};

	(void)state;
	for (size_t i = 0; i < VL_SIG_TEXT - 1; i++) {
		(void)strcpy(text, header);
		text[i] = '*';
		assert_int_equal(VL_ERR_BAD_HEADER, parse(text, VL_SIG_TEXT - 1));
		text[i] = '\0';
		assert_int_equal(VL_ERR_BAD_HEADER, parse(text, VL_SIG_TEXT - 1));
	}
	(void)strcpy(text, header);
	for (size_t size = 0; size <= VL_SIG_TEXT; size++)
		assert_int_equal(size == VL_SIG_TEXT - 1 ? VL_OK : VL_ERR_BAD_HEADER,
				 parse(text, size));
	text[118] = 'x'; /* stray bits in the last digit: "Cw==" is "Cx==" to a lax reader */
	assert_int_equal(VL_ERR_BAD_HEADER, parse(text, VL_SIG_TEXT - 1));
	(void)strcpy(text, header);
	for (size_t i = 33; i < VL_SIG_TEXT - 1; i++)
		if (text[i] == '+')
			text[i] = '-'; /* the alphabet of URLs */
	assert_int_equal(VL_ERR_BAD_HEADER, parse(text, VL_SIG_TEXT - 1));
	assert_int_equal(VL_ERR_BAD_HEADER,
			 vl_sig_parse((struct vl_bytes){0}, &(struct vl_key_id){0},
				      &(struct vl_signature){0}));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),      cmocka_unit_test(test_rfc8032),
		cmocka_unit_test(test_flipped_bits), cmocka_unit_test(test_wrong_domain),
		cmocka_unit_test(test_wrong_key),    cmocka_unit_test(test_content_type),
		cmocka_unit_test(test_header_parse), cmocka_unit_test(test_header_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
