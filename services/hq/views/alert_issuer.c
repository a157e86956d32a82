/*
 * Who may speak about an alert (A9), and which text an approval is for (A2).
 *
 * An identifier is its holder's: of the mission that drafted it first, and from its publication
 * on of the one that published it. Headquarters may act on any, and what it has published is its
 * own from then on. What anybody else says about it changes nothing, and is shown by name, there
 * and in the message that says it.
 *
 * A message names others in its references. Their issuers are worked out in rows of a lower
 * rank, one an identifier, which tell the messages that refer to them; so it does not matter
 * which of the two comes first.
 */
#include "hq/views/alert.h"

#include "base/buf.h"
#include "bus/wire.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

bool vl_alert_publishes(const struct vl_fact *fact)
{
	const ProtobufCMessageDescriptor *type = fact->payload->descriptor;

	return type == MESSAGE(AlertPublished) || type == MESSAGE(AlertUpdated) ||
	       type == MESSAGE(AlertCancelled);
}

static bool drafts(const struct vl_fact *fact)
{
	return fact->payload->descriptor == MESSAGE(AlertDrafted) ||
	       fact->payload->descriptor == MESSAGE(AlertRevised);
}

/* What needs a say in the alert; delivering and answering it is anybody's, and approvals are
 * judged by the text they are for. */
static bool acts(const struct vl_fact *fact)
{
	const ProtobufCMessageDescriptor *type = fact->payload->descriptor;

	return drafts(fact) || vl_alert_publishes(fact) || type == MESSAGE(AlertSubmitted) ||
	       type == MESSAGE(AlertReturned) || type == MESSAGE(AlertExpired);
}

bool vl_alert_claim(char **holder, bool published, const struct vl_fact *fact)
{
	bool headquarters = strcmp(fact->mission, ALERT_HQ) == 0,
	     mine = strcmp(*holder, fact->mission) == 0;

	if (!acts(fact))
		return true;
	if (!headquarters && !mine && (*holder)[0] != '\0' &&
	    (published || !vl_alert_publishes(fact)))
		return false;
	if (vl_alert_publishes(fact) || ((*holder)[0] == '\0' && drafts(fact)))
		*holder = (char *)(uintptr_t)fact->mission;
	return fact->payload->descriptor != MESSAGE(AlertExpired) || headquarters || mine;
}

/* -- one row an identifier -- */

void vl_alert_issuer_step(struct vl_fold *fold, ProtobufCMessage *message,
			  const struct vl_fact *fact)
{
	IssuerRow *row = (void *)message;
	bool own = strcmp(fact->subject, vl_fold_key(fold)) == 0;

	if (!own) {
		vl_fold_add_text(fold, vl_view_keep_ref(fold, fact->subject), &row->n_referrers,
				 &row->referrers);
		return;
	}
	if (vl_alert_claim(&row->issuer, row->published, fact) && vl_alert_publishes(fact))
		row->published = true;
}

void vl_alert_issuer_contribute(struct vl_fold *fold, const ProtobufCMessage *message)
{
	const IssuerRow *row = (const void *)message;
	char alert[VL_VIEW_REF];

	if (!row->published)
		return;
	(void)vl_view_ref(vl_fold_key(fold), alert);
	for (size_t i = 0; i < row->n_referrers; i++)
		vl_view_count(fold, ALERT_KIND_ALERT, row->referrers[i], 1, "issuer/%s\t%s",
			      row->issuer, alert);
}

/* -- A9 in the message that tries -- */

struct tried {
	struct vl_fold *fold;
	AlertRow *row;
	const struct vl_fact *publication;
};

static void judge(void *context, const char *name, int64_t value)
{
	const struct tried *tried = context;
	const char *issuer = name + strlen("issuer/"), *alert = strchr(issuer, '\t');

	(void)value;
	if (alert == NULL)
		return;
	size_t length = (size_t)(alert++ - issuer);
	if (length == strlen(tried->row->mission) &&
	    memcmp(issuer, tried->row->mission, length) == 0)
		return;
	vl_alert_refuse(tried->fold, tried->row, tried->publication,
			"refers to %s, which is %.*s's; it changes nothing there", alert,
			(int)length, issuer);
}

void vl_alert_check_references(struct vl_fold *fold, AlertRow *row)
{
	struct vl_fact publication = {.id = row->publication.data};
	struct tried tried = {fold, row, &publication};

	if (row->published_at == NULL || row->foreign || strcmp(row->mission, ALERT_HQ) == 0)
		return;
	vl_fold_each_tally(fold, ALERT_KIND_ALERT, vl_fold_key(fold), "issuer/", judge, &tried);
}

/* -- the text -- */

ProtobufCBinaryData vl_alert_text(struct vl_fold *fold, const Issue *issue)
{
	Issue text = *issue;
	CapAlert cap;
	struct vl_buf packed = {0};
	uint8_t *digest = vl_fold_alloc(fold, ALERT_TEXT_DIGEST);

	if (issue->cap != NULL) {
		cap = *issue->cap;
		cap.sent = NULL;
		cap.sent_text = (char *)(uintptr_t) "";
		text.cap = &cap;
	}
	vl_wire_pack(&text.base, &packed);
	if (digest != NULL && !vl_buf_failed(&packed))
		(void)crypto_generichash(digest, ALERT_TEXT_DIGEST, packed.data, packed.size, NULL,
					 0);
	vl_buf_free(&packed);
	return (ProtobufCBinaryData){digest != NULL ? ALERT_TEXT_DIGEST : 0, digest};
}

bool vl_alert_may_approve(const AlertRow *row, const Approval *approval)
{
	if (strcmp(approval->mission, ALERT_HQ) == 0 ||
	    strcmp(approval->mission, row->mission) == 0)
		return true;
	for (size_t i = 0; i < row->n_authors; i++)
		if (strcmp(approval->mission, row->authors[i]->mission) == 0)
			return true;
	return false;
}
