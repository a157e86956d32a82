#include "audit.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One field of a message. */
struct field {
	uint64_t number, value;
	const uint8_t *bytes, *start;
	size_t size;
};

struct cursor {
	const uint8_t *at, *end;
	bool failed;
};

static uint64_t varint(struct cursor *c)
{
	uint64_t value = 0;

	for (unsigned shift = 0; shift < 64 && c->at < c->end; shift += 7) {
		uint8_t byte = *c->at++;
		value |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80)
			return value;
	}
	c->failed = true;
	return 0;
}

/* The lanes' events use numbers and runs of bytes only. */
static bool next_field(struct cursor *c, struct field *field)
{
	if (c->failed || c->at == c->end)
		return false;
	*field = (struct field){.start = c->at};
	uint64_t tag = varint(c);
	field->number = tag >> 3;
	if ((tag & 7) == 0) {
		field->value = varint(c);
	} else if ((tag & 7) == 2) {
		uint64_t size = varint(c);
		c->failed |= size > (uint64_t)(c->end - c->at);
		if (c->failed)
			return false;
		field->bytes = c->at;
		field->size = (size_t)size;
		c->at += size;
	} else {
		c->failed = true;
	}
	return !c->failed;
}

bool audit_read_event(const uint8_t *bytes, size_t size, uint8_t id[16], uint8_t digest[16])
{
	struct cursor c = {bytes, bytes + size, false};
	struct field field;
	crypto_generichash_state state;

	memset(id, 0, 16);
	crypto_generichash_init(&state, NULL, 0, 16);
	while (next_field(&c, &field)) {
		if (field.number != 1)
			crypto_generichash_update(&state, field.start,
						  (size_t)(c.at - field.start));
		else if (field.size == 16)
			memcpy(id, field.bytes, 16);
		else
			return false;
	}
	crypto_generichash_final(&state, digest, 16);
	return !c.failed;
}

struct head {
	char mission[48], lane[48];
	uint64_t epoch, seq, first_event;
	uint8_t prev[32];
};

static void copy_text(char to[48], const struct field *field)
{
	size_t size = field->size < 47 ? field->size : 47;

	memcpy(to, field->bytes, size);
	to[size] = '\0';
}

static bool wrong(struct audit *audit, const struct head *head, const char *what)
{
	if (audit->wrong[0] == '\0')
		(void)snprintf(audit->wrong, sizeof(audit->wrong), "%s %llu/%llu: %s", head->lane,
			       (unsigned long long)head->epoch, (unsigned long long)head->seq,
			       what);
	return false;
}

static bool read_head(struct audit *audit, struct cursor c, struct head *head)
{
	struct field field;

	*head = (struct head){0};
	while (next_field(&c, &field)) {
		if (field.number == 1 && field.bytes != NULL)
			copy_text(head->mission, &field);
		else if (field.number == 2 && field.bytes != NULL)
			copy_text(head->lane, &field);
		else if (field.number == 3)
			head->epoch = field.value;
		else if (field.number == 4)
			head->seq = field.value;
		else if (field.number == 5)
			head->first_event = field.value;
		else if (field.number == 6 && field.size == 32)
			memcpy(head->prev, field.bytes, 32);
	}
	if (c.failed)
		return wrong(audit, head, "is no protobuf");
	return strcmp(head->mission, audit->mission) == 0 ||
	       wrong(audit, head, "is another mission's");
}

static struct audit_chain *chain_of(struct audit *audit, const char *lane)
{
	for (size_t i = 0; i < audit->n_chains; i++)
		if (strcmp(audit->chains[i].lane, lane) == 0)
			return &audit->chains[i];
	if (audit->n_chains == AUDIT_LANES)
		abort();
	struct audit_chain *chain = &audit->chains[audit->n_chains++];
	*chain = (struct audit_chain){.next_event = 1};
	(void)snprintf(chain->lane, sizeof(chain->lane), "%s", lane);
	return chain;
}

static bool follows(struct audit *audit, struct audit_chain *chain, const struct head *head)
{
	if (head->epoch < chain->epoch || head->epoch == 0)
		return wrong(audit, head, "goes back to an earlier epoch");
	if (head->epoch > chain->epoch) {
		chain->epoch = head->epoch;
		chain->seq = 0;
		chain->next_event = 1;
	}
	if (head->seq != chain->seq + 1)
		return wrong(audit, head, "does not follow by its number");
	if (head->first_event != chain->next_event)
		return wrong(audit, head, "does not follow by the number of its first event");
	return memcmp(head->prev, chain->digest, 32) == 0 ||
	       wrong(audit, head, "does not know the batch before it");
}

static bool is_signed(const struct audit *audit, const uint8_t digest[32],
		      const uint8_t signature[64])
{
	uint8_t message[48] = "valise/batch/v1";

	memcpy(message + 16, digest, 32);
	return crypto_sign_verify_detached(signature, message, sizeof(message), audit->key) == 0;
}

static bool add_events(struct audit *audit, struct audit_chain *chain, const struct head *head,
		       struct cursor c)
{
	struct field field;

	while (next_field(&c, &field)) {
		if (field.number != 8)
			continue;
		if (audit->n_events == audit->room) {
			audit->room = audit->room == 0 ? 64 : audit->room * 2;
			audit->events =
				realloc(audit->events, audit->room * sizeof(*audit->events));
			if (audit->events == NULL)
				abort();
		}
		struct audit_event *event = &audit->events[audit->n_events++];
		*event = (struct audit_event){.epoch = head->epoch, .number = chain->next_event++};
		memcpy(event->lane, chain->lane, sizeof(event->lane));
		if (!audit_read_event(field.bytes, field.size, event->id, event->digest))
			return wrong(audit, head, "holds an event that is no protobuf");
	}
	return true;
}

bool audit_batch(struct audit *audit, const uint8_t *value, size_t size,
		 const uint8_t signature[64])
{
	struct cursor c = {value, value + size, false};
	struct head head;
	uint8_t digest[32];

	if (!read_head(audit, c, &head))
		return false;
	struct audit_chain *chain = chain_of(audit, head.lane);
	uint64_t before = audit->n_events;
	crypto_generichash(digest, sizeof(digest), value, size, NULL, 0);
	if (!is_signed(audit, digest, signature))
		return wrong(audit, &head, "its signature does not fit");
	if (!follows(audit, chain, &head) || !add_events(audit, chain, &head, c))
		return false;
	if (audit->n_events == before)
		return wrong(audit, &head, "holds no event");
	chain->seq = head.seq;
	memcpy(chain->digest, digest, sizeof(digest));
	audit->n_batches++;
	return true;
}

const struct audit_event *audit_find(const struct audit *audit, const uint8_t id[16],
				     unsigned *times)
{
	const struct audit_event *found = NULL;

	*times = 0;
	for (size_t i = 0; i < audit->n_events; i++)
		if (memcmp(audit->events[i].id, id, 16) == 0) {
			found = found != NULL ? found : &audit->events[i];
			++*times;
		}
	return found;
}

const struct audit_chain *audit_chain(const struct audit *audit, const char *lane)
{
	for (size_t i = 0; i < audit->n_chains; i++)
		if (strcmp(audit->chains[i].lane, lane) == 0)
			return &audit->chains[i];
	return NULL;
}

void audit_free(struct audit *audit)
{
	free(audit->events);
	audit->events = NULL;
	audit->n_events = audit->room = 0;
}
