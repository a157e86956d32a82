#include "bus/record_pack.h"

#include "base/checksum.h"
#include "base/text.h"

#include <string.h>

/* -- records in the store: fixed numbers first, then each run of bytes behind its length,
 * 0xffffffff for "none"; before the value's bytes, which the digest proves, a sum of all that is
 * before them -- */

#define NONE UINT32_MAX

static void put_u32(struct vl_buf *buf, uint32_t n)
{
	uint8_t *to = vl_buf_add(buf, 4);
	if (to != NULL)
		vl_put_be32(to, n);
}

static void put_u64(struct vl_buf *buf, uint64_t n)
{
	uint8_t *to = vl_buf_add(buf, 8);
	if (to != NULL)
		vl_put_be64(to, n);
}

static void put_run(struct vl_buf *buf, struct vl_bytes run)
{
	put_u32(buf, run.data == NULL ? NONE : (uint32_t)run.size);
	if (run.data != NULL)
		vl_buf_put(buf, run.data, run.size);
}

void vl_record_pack(struct vl_buf *buf, const struct vl_record *record,
		    const struct vl_digest *digest)
{
	vl_record_pack_applied(buf, record, digest, record->applied_ms);
}

void vl_record_pack_applied(struct vl_buf *buf, const struct vl_record *record,
			    const struct vl_digest *digest, int64_t applied_ms)
{
	size_t start = buf->size;

	vl_buf_put(buf, digest->bytes, sizeof(digest->bytes));
	put_u64(buf, (uint64_t)record->offset);
	put_u64(buf, (uint64_t)record->timestamp_ms);
	put_u64(buf, (uint64_t)applied_ms);
	put_u32(buf, (uint32_t)record->partition);
	put_u32(buf, (uint32_t)record->n_headers | (record->headers_cut ? 1u << 31 : 0));
	put_run(buf, record->topic);
	put_run(buf, record->key);
	for (size_t i = 0; i < record->n_headers; i++) {
		put_run(buf, record->headers[i].name);
		put_run(buf, record->headers[i].value);
	}
	put_u32(buf, record->value.data == NULL ? NONE : (uint32_t)record->value.size);
	if (!vl_buf_failed(buf))
		put_u64(buf, vl_checksum((struct vl_bytes){buf->data + start, buf->size - start}));
	if (record->value.data != NULL)
		vl_buf_put(buf, record->value.data, record->value.size);
}

struct reader {
	const uint8_t *at, *end;
	bool failed;
};

static const uint8_t *take(struct reader *r, size_t count)
{
	const uint8_t *at = r->at;

	if (r->failed || (size_t)(r->end - r->at) < count) {
		r->failed = true;
		return NULL;
	}
	r->at += count;
	return at;
}

static uint32_t take_u32(struct reader *r)
{
	const uint8_t *at = take(r, 4);
	return at != NULL ? vl_get_be32(at) : 0;
}

static uint64_t take_u64(struct reader *r)
{
	const uint8_t *at = take(r, 8);
	return at != NULL ? vl_get_be64(at) : 0;
}

static void take_digest(struct reader *r, struct vl_digest *digest)
{
	const uint8_t *at = take(r, sizeof(digest->bytes));
	if (at != NULL)
		memcpy(digest->bytes, at, sizeof(digest->bytes));
}

static struct vl_bytes take_run(struct reader *r)
{
	uint32_t size = take_u32(r);
	return r->failed || size == NONE ? (struct vl_bytes){0}
					 : (struct vl_bytes){take(r, size), size};
}

/* What was read so far against what was written. */
static bool take_sum(struct reader *r, const uint8_t *start)
{
	uint64_t sum =
		r->failed ? 0 : vl_checksum((struct vl_bytes){start, (size_t)(r->at - start)});

	return take_u64(r) == sum && !r->failed;
}

enum vl_err vl_record_unpack(struct vl_bytes bytes, struct vl_record *record,
			     struct vl_digest *digest)
{
	struct reader r = {bytes.data, bytes.data + bytes.size, false};

	/* Its many headers are not cleared first: batches are unpacked by the thousand. */
	take_digest(&r, digest);
	record->offset = (int64_t)take_u64(&r);
	record->timestamp_ms = (int64_t)take_u64(&r);
	record->applied_ms = (int64_t)take_u64(&r);
	record->partition = (int32_t)take_u32(&r);
	uint32_t n = take_u32(&r);
	record->headers_cut = n >> 31;
	record->n_headers = n & 0x7fffffff;
	record->topic = take_run(&r);
	record->key = take_run(&r);
	if (record->n_headers > VL_RECORD_HEADERS)
		return VL_ERR_CORRUPT;
	for (size_t i = 0; i < record->n_headers; i++) {
		record->headers[i].name = take_run(&r);
		record->headers[i].value = take_run(&r);
	}
	uint32_t size = take_u32(&r);
	if (!take_sum(&r, bytes.data))
		return VL_ERR_CORRUPT;
	record->value =
		size == NONE ? (struct vl_bytes){0} : (struct vl_bytes){take(&r, size), size};
	return r.failed || r.at != r.end ? VL_ERR_CORRUPT : VL_OK;
}

bool vl_record_intact(const struct vl_record *record, const struct vl_digest *digest)
{
	struct vl_digest now = {0};

	if (record->value.data != NULL)
		now = vl_batch_digest(record->value);
	return vl_digest_equal(&now, digest);
}

bool vl_record_digest(struct vl_bytes packed, struct vl_digest *digest)
{
	struct reader r = {packed.data, packed.data + packed.size, false};

	take_digest(&r, digest);
	return !r.failed;
}
