/*
 * Receipts and directives for the agent's tests: a ring with headquarters and two missions, and
 * records as the link would bring them.
 *
 * Next: agent_house.h, a keeper.
 */
#ifndef VALISE_TESTS_AGENT_RECEIPT_H
#define VALISE_TESTS_AGENT_RECEIPT_H

#include "agent_fixture.h"

#include "agent/relay.h"
#include "bus/keys.h"
#include "bus/record_pack.h"
#include "bus/ring.h"
#include "valise/directive/v1/directive.pb-c.h"
#include "valise/receipt/v1/receipt.pb-c.h"

#define HQ_KEY 9
#define OTHER_KEY 8
#define OTHER "CN-EG-EMB"

static inline void receipt_enrol(const char *keys, const char *id, uint8_t key)
{
	struct vl_signer *signer = world_signer(key);
	char name[64], line[160], hex[65];

	(void)snprintf(name, sizeof(name), "%s.pub", id);
	(void)snprintf(line, sizeof(line), "%s %s\n", id,
		       vl_hex(vl_signer_public(signer)->bytes, 32, hex));
	fixture_write(keys, name, line, 0600);
	vl_signer_close(signer);
}

static inline struct vl_ring *receipt_ring(void)
{
	struct fixture_folder folder = fixture_folder();
	struct vl_ring *ring;

	receipt_enrol(folder.path, "HQ", HQ_KEY);
	receipt_enrol(folder.path, OTHER, OTHER_KEY);
	receipt_enrol(folder.path, "CN-SD-EMB", 1);
	assert_int_equal(vl_ring_open(folder.path, &ring, NULL), VL_OK);
	fixture_remove(folder.path);
	return ring;
}

/* The parts of a record; missing parts are as headquarters makes them. */
struct receipt_made {
	const char *sender;
	uint8_t key;
	enum vl_domain domain;
	int64_t offset;
	const char *mission, *lane;
	const char *topic; /* its topic, and its batch's lane */
	bool alone;        /* the older form: an Applied by itself */
	uint64_t epoch, seq, suspended;
	struct vl_bytes digest;
	size_t filler; /* another event of about this many bytes */
	bool resend;   /* it is a directive, to send again from seq to `to` */
	uint64_t to;
	uint64_t batch; /* headquarters' own number of it; 1 where it is 0 */
};

static inline void receipt_pack(struct vl_buf *payload, const struct receipt_made *made)
{
	Valise__Receipt__V1__Receipt receipt = VALISE__RECEIPT__V1__RECEIPT__INIT;
	Valise__Receipt__V1__Applied applied = VALISE__RECEIPT__V1__APPLIED__INIT,
				     *all[] = {&applied};
	char *mission = (char *)(made->mission != NULL ? made->mission : "CN-SD-EMB");

	applied.lane = (char *)(made->lane != NULL ? made->lane : CASE_LANE);
	applied.epoch = made->epoch != 0 ? made->epoch : NOW;
	applied.seq = made->seq;
	applied.suspended = made->suspended;
	applied.digest =
		(ProtobufCBinaryData){made->digest.size, (uint8_t *)(uintptr_t)made->digest.data};
	if (made->alone)
		applied.mission = mission;
	receipt.mission = mission;
	receipt.n_applied = 1;
	receipt.applied = all;
	vl_wire_pack(made->alone ? &applied.base : &receipt.base, payload);
}

static inline void directive_pack(struct vl_buf *payload, const struct receipt_made *made)
{
	Valise__Directive__V1__Resend resend = VALISE__DIRECTIVE__V1__RESEND__INIT;

	resend.mission = (char *)(made->mission != NULL ? made->mission : "CN-SD-EMB");
	resend.lane = (char *)(made->lane != NULL ? made->lane : CASE_LANE);
	resend.epoch = made->epoch != 0 ? made->epoch : NOW;
	resend.from_seq = made->seq;
	resend.to_seq = made->to;
	vl_wire_pack(&resend.base, payload);
}

static inline void receipt_put_event(struct vl_buf *batch, const struct receipt_made *made)
{
	struct fixture_event event = fixture_event();
	struct vl_buf payload = {0}, bytes = {0};

	if (made->resend)
		directive_pack(&payload, made);
	else
		receipt_pack(&payload, made);
	event.url = fixture_text(made->resend  ? "type.googleapis.com/valise.directive.v1.Resend"
				 : made->alone ? "type.googleapis.com/valise.receipt.v1.Applied"
					       : "type.googleapis.com/valise.receipt.v1.Receipt");
	event.payload = vl_buf_bytes(&payload);
	fixture_put_event(&bytes, &event);
	vl_batch_put_event(batch, vl_buf_bytes(&bytes));
	vl_buf_free(&payload);
	vl_buf_free(&bytes);
}

/* A record, relayed; the caller frees it. */
static inline struct vl_buf receipt_relay(const struct receipt_made *made)
{
	const char *sender = made->sender != NULL ? made->sender : "HQ";
	struct vl_signer *signer = world_signer(made->key != 0 ? made->key : HQ_KEY);
	const char *own =
		made->resend ? VL_DIRECTIVE_LANE ".CN-SD-EMB" : VL_RECEIPT_LANE ".CN-SD-EMB";
	const char *topic = made->topic != NULL ? made->topic : own;
	struct vl_batch_head head = {.mission = fixture_text(sender),
				     .lane = fixture_text(topic),
				     .epoch = {1},
				     .seq = {made->batch != 0 ? made->batch : 1},
				     .first_event = {1},
				     .signed_at = {NOW, 0}};
	struct vl_buf value = {0}, relayed = {0}, filler = {0};
	struct vl_signature signature;
	struct vl_key_id id = vl_key_id_of(vl_signer_public(signer));
	char sig[VL_SIG_TEXT];

	vl_batch_put_head(&value, &head);
	receipt_put_event(&value, made);
	if (made->filler > 0)
		vl_batch_put_event(&value, world_event(&filler, 77, CASE_TYPE, made->filler));
	struct vl_digest digest = vl_batch_digest(vl_buf_bytes(&value));
	assert_int_equal(vl_sign(signer, made->domain, &digest, &signature), VL_OK);
	vl_sig_format(&id, &signature, sig);
	struct vl_record record = {
		.topic = fixture_text(topic),
		.offset = made->offset,
		.key = fixture_text(sender),
		.value = vl_buf_bytes(&value),
		.n_headers = 2,
		.headers = {{fixture_text("content-type"),
			     fixture_text(vl_domain_content_type(made->domain))},
			    {fixture_text(VL_SIG_HEADER), fixture_text(sig)}},
	};
	vl_record_pack(&relayed, &record, &(struct vl_digest){0});
	vl_signer_close(signer);
	vl_buf_free(&value);
	vl_buf_free(&filler);
	return relayed;
}

#endif
