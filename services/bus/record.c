#include "bus/record.h"

#include "base/text.h"
#include "bus/types.h"

#include <string.h>

/* One vl-sig header as read. */
struct claim {
	struct vl_key_id id;
	struct vl_signature signature;
	const struct vl_ring_entry *signer;
};

/* What the headers say. */
struct claims {
	struct claim claim[VL_RECORD_HEADERS];
	size_t count;
	bool has_domain;
	enum vl_domain domain;
};

static bool is_equal(struct vl_bytes a, struct vl_bytes b)
{
	return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static enum vl_err read_content_type(struct vl_bytes value, struct claims *claims,
				     struct vl_why *why)
{
	if (claims->has_domain)
		return vl_fail(why, VL_ERR_BAD_HEADER, "content-type is given twice");
	claims->has_domain = true;
	for (enum vl_domain domain = VL_DOMAIN_BATCH; domain <= VL_DOMAIN_DRILL; domain++)
		if (vl_bytes_are(value, vl_domain_content_type(domain))) {
			claims->domain = domain;
			return VL_OK;
		}
	return vl_fail(why, VL_ERR_BAD_HEADER,
		       "content-type is neither that of a batch nor that of a drill");
}

static enum vl_err read_signature(struct vl_bytes value, struct claims *claims, struct vl_why *why)
{
	struct claim *claim = &claims->claim[claims->count++];

	if (value.data == NULL || vl_sig_parse(value, &claim->id, &claim->signature) != VL_OK)
		return vl_fail(why, VL_ERR_BAD_HEADER, "vl-sig %zu is not <key id>.<signature>",
			       claims->count);
	return VL_OK;
}

static bool is_unsigned(const struct vl_record *record)
{
	for (size_t i = 0; i < record->n_headers; i++)
		if (vl_bytes_are(record->headers[i].name, VL_SIG_HEADER))
			return false;
	return true;
}

static enum vl_err read_headers(const struct vl_record *record, struct claims *claims,
				struct vl_why *why)
{
	if (record->headers_cut || record->n_headers > VL_RECORD_HEADERS)
		return vl_fail(why, VL_ERR_BAD_HEADER, "there are more than %d headers",
			       VL_RECORD_HEADERS);
	if (is_unsigned(record))
		return vl_fail(why, VL_ERR_UNSIGNED, "there is no header " VL_SIG_HEADER);
	for (size_t i = 0; i < record->n_headers; i++) {
		const struct vl_header *header = &record->headers[i];
		enum vl_err err = VL_OK;
		if (!vl_utf8_valid(header->value.data, header->value.size, NULL))
			err = vl_fail(why, VL_ERR_BAD_HEADER, "header %zu is not UTF-8 text",
				      i + 1);
		else if (vl_bytes_are(header->name, VL_SIG_HEADER))
			err = read_signature(header->value, claims, why);
		else if (vl_bytes_are(header->name, "content-type"))
			err = read_content_type(header->value, claims, why);
		if (err != VL_OK)
			return err;
	}
	return claims->has_domain
		       ? VL_OK
		       : vl_fail(why, VL_ERR_BAD_HEADER, "there is no header content-type");
}

/* Every key before any signature: looking up is cheap, and names what headquarters can mend. */
static enum vl_err check_signatures(struct claims *claims, const struct vl_ring *ring,
				    const struct vl_digest *digest, struct vl_why *why)
{
	char hex[2 * sizeof(struct vl_key_id) + 1];

	for (size_t i = 0; i < claims->count; i++) {
		struct claim *claim = &claims->claim[i];
		claim->signer = vl_ring_find(ring, &claim->id);
		if (claim->signer == NULL)
			return vl_fail(why, VL_ERR_UNKNOWN_KEY, "key %s is not enrolled",
				       vl_hex(claim->id.bytes, sizeof(claim->id.bytes), hex));
	}
	for (size_t i = 0; i < claims->count; i++) {
		const struct claim *claim = &claims->claim[i];
		if (vl_verify(&claim->signer->key, claims->domain, digest, &claim->signature) !=
		    VL_OK)
			return vl_fail(why, VL_ERR_BAD_SIGNATURE,
				       "the signature of key %s does not fit",
				       vl_hex(claim->id.bytes, sizeof(claim->id.bytes), hex));
	}
	return VL_OK;
}

/* Others may sign beside the sender (k-of-n), but the sender must have signed; best with a key
 * that holds for this place. */
static const struct vl_ring_entry *find_sender(const struct claims *claims,
					       const struct vl_batch_head *head, bool *holds)
{
	const struct vl_ring_entry *sender = NULL;

	*holds = false;
	for (size_t i = 0; i < claims->count && !*holds; i++) {
		const struct vl_ring_entry *signer = claims->claim[i].signer;
		if (!vl_bytes_are(head->mission, signer->mission))
			continue;
		sender = signer;
		*holds = vl_ring_holds(signer, head->lane, head->epoch, head->seq);
	}
	return sender;
}

static enum vl_err check_batch(const struct vl_record *record, const struct claims *claims,
			       struct vl_verified *verified, struct vl_why *why)
{
	const struct vl_batch_head *head = &verified->batch.head;
	bool holds;
	const struct vl_ring_entry *sender = find_sender(claims, head, &holds);
	char hex[2 * sizeof(struct vl_key_id) + 1];

	if (sender == NULL)
		return vl_fail(why, VL_ERR_WRONG_MISSION,
			       "signed by %s, and not by the sender that the batch names",
			       verified->signer->mission);
	if (!is_equal(record->key, head->mission))
		return vl_fail(why, VL_ERR_WRONG_MISSION,
			       "the record's key is not the batch's sender %s", sender->mission);
	if (!is_equal(vl_topic_lane(record->topic), head->lane))
		return vl_fail(why, VL_ERR_WRONG_LANE,
			       "the batch of %s was made for another lane than this topic",
			       sender->mission);
	if (!holds)
		return vl_fail(why, VL_ERR_UNKNOWN_KEY,
			       "key %s of %s was replaced or removed before this place",
			       vl_hex(sender->id.bytes, sizeof(sender->id.bytes), hex),
			       sender->mission);
	verified->signer = sender;
	return VL_OK;
}

enum vl_err vl_record_verify(const struct vl_record *record, const struct vl_ring *ring,
			     struct vl_arena *arena, struct vl_verified *verified,
			     struct vl_why *why)
{
	struct claims claims = {0};

	*verified = (struct vl_verified){0};
	if (record->value.data == NULL)
		return vl_fail(why, VL_ERR_NULL_VALUE, "the record has no value");
	verified->digest = vl_batch_digest(record->value);
	if (record->value.size > VL_BATCH_MAX)
		return vl_fail(why, VL_ERR_TOO_LARGE, "the value is %zu bytes, %zu are allowed",
			       record->value.size, VL_BATCH_MAX);
	enum vl_err err = read_headers(record, &claims, why);
	if (err == VL_OK)
		err = check_signatures(&claims, ring, &verified->digest, why);
	if (err != VL_OK)
		return err;
	verified->domain = claims.domain;
	verified->signer = claims.claim[0].signer;
	err = vl_batch_read(record->value, arena, &verified->batch, why);
	if (err == VL_OK)
		err = check_batch(record, &claims, verified, why);
	if (err != VL_OK)
		verified->batch = (struct vl_batch){0};
	return err;
}

struct vl_bytes vl_topic_lane(struct vl_bytes topic)
{
	const char *name = (const char *)topic.data;
	const char *dot = topic.size > 0 ? memchr(name, '.', topic.size) : NULL;

	if (dot == NULL || vl_lane_named(name, topic.size, NULL) != NULL)
		return topic;
	size_t rest = topic.size - (size_t)(dot + 1 - name);
	return vl_lane_named(dot + 1, rest, NULL) != NULL
		       ? (struct vl_bytes){topic.data + (topic.size - rest), rest}
		       : topic;
}
