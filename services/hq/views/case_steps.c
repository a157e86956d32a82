/*
 * One fact on one case. The table says of each event whether it moves the case, acts for the
 * person, or tells others of the person; what it changes beyond that is its own function. A fact
 * that moves nothing is counted and shown.
 */
#include "hq/views/case.h"

#include <limits.h>
#include <string.h>

/* A move: only the owner's or headquarters' has effect, and none but a reopening after the
 * closing. */
#define MOVE 1u
/* Acts for the person: not after help was refused (C3, VCCR 36(1)(c)). */
#define HELP 2u
/* Tells others of the person: not after disclosure was refused. */
#define TELL 4u
/* Has effect on a closed case. */
#define OPENS 8u
/* Says what others act on: only the owner's or headquarters' has effect, also after the closing. */
#define OWN 16u

typedef void apply_fn(struct vl_fold *fold, CASE(CaseRow) *row, const struct vl_fact *fact);

int64_t vl_case_count_of(const CASE(CaseRow) *row, const char *event)
{
	for (size_t i = 0; i < row->n_facts; i++) {
		if (strcmp(row->facts[i]->name, event) == 0)
			return row->facts[i]->count;
	}
	return 0;
}

static void count_fact(struct vl_fold *fold, CASE(CaseRow) *row, const struct vl_fact *fact)
{
	const char *name = fact->payload->descriptor->short_name;
	row->last_event = (char *)(uintptr_t)name;
	if (row->last_event_at == NULL ||
	    vl_time_compare(vl_view_time(row->last_event_at), fact->occurred_at) < 0)
		row->last_event_at = vl_view_stamp(fold, fact->occurred_at);
	for (size_t i = 0; i < row->n_facts; i++) {
		if (strcmp(row->facts[i]->name, name) == 0) {
			row->facts[i]->count++;
			return;
		}
	}
	Valise__V1__Count *count =
		vl_fold_add(fold, &valise__v1__count__descriptor, &row->n_facts, &row->facts);
	if (count == NULL)
		return;
	count->name = (char *)(uintptr_t)name;
	count->count = 1;
}

static void add_late(struct vl_fold *fold, CASE(CaseRow) *row, const struct vl_fact *fact,
		     bool not_owner)
{
	CASE(LateFact) *late =
		vl_fold_add(fold, CASE_DESCRIPTOR(late_fact), &row->n_late, &row->late);
	if (late == NULL)
		return;
	late->name = (char *)(uintptr_t)fact->payload->descriptor->short_name;
	late->mission = (char *)(uintptr_t)fact->mission;
	late->at = vl_view_stamp(fold, fact->occurred_at);
	late->event = (ProtobufCBinaryData){.len = 16, .data = (uint8_t *)(uintptr_t)fact->id};
	late->not_owner = not_owner;
}

/* A field gets a value: where another mission had given it another, that one is kept beside. */
static void set_by(struct vl_fold *fold, CASE(CaseRow) *row, CASE(Setter) **setter,
		   const char *field, char *former, const struct vl_fact *fact)
{
	CASE(Setter) *last = *setter;
	if (last != NULL && former != NULL && strcmp(last->mission, fact->mission) != 0) {
		CASE(Replaced) *replaced = vl_fold_add(fold, CASE_DESCRIPTOR(replaced),
						       &row->n_replaced, &row->replaced);
		if (replaced == NULL)
			return;
		replaced->field = (char *)(uintptr_t)field;
		replaced->value = former;
		replaced->mission = last->mission;
		replaced->at = last->at;
		replaced->event = last->event;
	}
	CASE(Setter) *now = vl_fold_alloc(fold, sizeof(*now));
	if (now == NULL)
		return;
	consular__case__v1__setter__init(now);
	now->mission = (char *)(uintptr_t)fact->mission;
	now->at = vl_view_stamp(fold, fact->occurred_at);
	now->event = (ProtobufCBinaryData){.len = 16, .data = (uint8_t *)(uintptr_t)fact->id};
	*setter = now;
}

static void set_type(struct vl_fold *fold, CASE(CaseRow) *row, CASE(CaseType) type,
		     const struct vl_fact *fact)
{
	if (type == CASE_TYPE(UNSPECIFIED))
		return;
	char *former = row->type != type ? vl_case_enum(fold, CASE_TYPE_TEXT, row->type) : NULL;
	set_by(fold, row, &row->type_set, "type", former, fact);
	row->type = type;
}

static void set_priority(struct vl_fold *fold, CASE(CaseRow) *row, CASE(Priority) priority,
			 const struct vl_fact *fact)
{
	if (priority == 0)
		return;
	char *former = row->priority != priority
			       ? vl_case_enum(fold, CASE_PRIORITY_TEXT, row->priority)
			       : NULL;
	set_by(fold, row, &row->priority_set, "priority", former, fact);
	row->priority = priority;
}

static void set_outcome(struct vl_fold *fold, CASE(CaseRow) *row, CASE(Outcome) outcome,
			const struct vl_fact *fact)
{
	if (outcome == 0)
		return;
	char *former = row->outcome != outcome ? vl_case_enum(fold, CASE_OUTCOME_TEXT, row->outcome)
					       : NULL;
	set_by(fold, row, &row->outcome_set, "outcome", former, fact);
	row->outcome = outcome;
}

/* The steps up to ASSIGNED may be told late; they never set a case back. */
static void rise_to(CASE(CaseRow) *row, CASE(CaseState) state)
{
	if (row->state < state || row->state == CASE_STATE(CONSULTATION_ONLY))
		row->state = state;
}

/* A mode that this build does not know is no person (C8). */
static bool automatic(CASE(Mode) mode)
{
	return mode == CONSULAR__CASE__V1__MODE__MODE_AUTOMATIC ||
	       (mode != 0 && vl_view_rank(&consular__case__v1__mode__descriptor, (int)mode) == 0);
}

/* -- the moves -- */

/* Whoever is not headquarters and acts before anybody is known to own the case: two of them are
 * as many as need be known. */
static void act_early(struct vl_fold *fold, const struct vl_fact *fact)
{
	for (unsigned slot = CASE_SLOT_EARLY; slot <= CASE_SLOT_EARLY_TOO; slot++) {
		void **early = vl_fold_slot(fold, slot);
		if (*early == NULL)
			*early = (void *)(uintptr_t)fact->mission;
		if (strcmp(*early, fact->mission) == 0)
			return;
	}
}

/* It is this mission's, as is known now: what others have done to it before is without effect. */
static void undo_early(struct vl_fold *fold, CASE(CaseRow) *row, const struct vl_fact *fact)
{
	const char *other = NULL;
	for (unsigned slot = CASE_SLOT_EARLY; slot <= CASE_SLOT_EARLY_TOO; slot++) {
		const char *early = *vl_fold_slot(fold, slot);
		if (early != NULL && strcmp(early, fact->mission) != 0)
			other = early;
	}
	if (other == NULL)
		return;
	CASE_VIOLATION(fold, row, "C1", fact, "%s acted on it, and %s opened it", other,
		       fact->mission);
	if (!row->consultation)
		row->state = CASE_STATE(UNSPECIFIED);
	row->closed_at = NULL;
	row->outcome = 0;
	row->unable = 0;
	row->help_refused = row->disclosure_refused = false;
	row->outcome_set = row->type_set = row->priority_set = NULL;
	row->n_clocks = 0;
	*vl_fold_slot(fold, CASE_SLOT_CLOCKS) = NULL;
}

static void opened(struct vl_fold *fold, CASE(CaseRow) *row, const struct vl_fact *fact)
{
	const CASE(CaseOpened) *event = (const void *)fact->payload;
	if (row->opened_by[0] != '\0') {
		if (strcmp(row->opened_by, fact->mission) != 0)
			CASE_VIOLATION(fold, row, "C1", fact, "opened by %s and by %s",
				       row->opened_by, fact->mission);
		return;
	}
	undo_early(fold, row, fact);
	row->opened_by = (char *)(uintptr_t)fact->mission;
	row->opened_at = vl_view_stamp(fold, fact->occurred_at);
	if (row->owner[0] == '\0')
		row->owner = (char *)(uintptr_t)fact->mission;
	rise_to(row, CASE_STATE(RECEIVED));
	/* What came before its opening came to be known later; it stands. */
	if (row->type_set == NULL || row->consultation)
		set_type(fold, row, event->type, fact);
	if (row->priority_set == NULL)
		set_priority(fold, row, event->priority, fact);
	if (vl_case_count_of(row, "PersonsCounted") == 0)
		row->persons = event->persons == 0 ? 1 : event->persons;
	row->subject_kind = event->subject_kind;
	row->host_country = event->host_country;
	row->crisis = event->crisis;
}

static void consulted(struct vl_fold *fold, CASE(CaseRow) *row, const struct vl_fact *fact)
{
	const CASE(ConsultationRecorded) *event = (const void *)fact->payload;
	row->consultation = true;
	if (row->opened_by[0] != '\0')
		return;
	if (row->state == CASE_STATE(UNSPECIFIED))
		row->state = CASE_STATE(CONSULTATION_ONLY);
	set_type(fold, row, event->topic, fact);
	row->persons = event->persons == 0 ? 1 : event->persons;
	row->host_country = event->host_country;
}

static void identified(struct vl_fold *fold, CASE(CaseRow) *row, const struct vl_fact *fact)
{
	(void)fold, (void)fact;
	rise_to(row, CASE_STATE(IDENTIFIED));
}

static void classified(struct vl_fold *fold, CASE(CaseRow) *row, const struct vl_fact *fact)
{
	set_type(fold, row, ((const CASE(CaseClassified) *)(const void *)fact->payload)->type,
		 fact);
}

static void counted(struct vl_fold *fold, CASE(CaseRow) *row, const struct vl_fact *fact)
{
	(void)fold;
	row->persons = ((const CASE(PersonsCounted) *)(const void *)fact->payload)->persons;
}

/* P1 is the most urgent. A number that this build does not know is the least. */
static int urgency(CASE(Priority) priority)
{
	int rank = vl_view_rank(&consular__case__v1__priority__descriptor, (int)priority);
	return rank != 0 ? rank : INT_MAX;
}

/* C8: a program may make a case more urgent, never less. */
static void prioritise(struct vl_fold *fold, CASE(CaseRow) *row, CASE(Priority) to, CASE(Mode) mode,
		       const struct vl_fact *fact)
{
	if (automatic(mode) && row->priority != 0 && urgency(to) > urgency(row->priority)) {
		CASE_VIOLATION(fold, row, "C8", fact, "lowered from P%d to P%d by a program",
			       (int)row->priority, (int)to);
		add_late(fold, row, fact, false);
		return;
	}
	set_priority(fold, row, to, fact);
}

static void triaged(struct vl_fold *fold, CASE(CaseRow) *row, const struct vl_fact *fact)
{
	const CASE(CaseTriaged) *event = (const void *)fact->payload;
	rise_to(row, CASE_STATE(TRIAGED));
	prioritise(fold, row, event->priority, event->mode, fact);
}

static void raised(struct vl_fold *fold, CASE(CaseRow) *row, const struct vl_fact *fact)
{
	const CASE(PriorityRaised) *event = (const void *)fact->payload;
	if (row->priority == 0 || urgency(event->to) < urgency(row->priority))
		set_priority(fold, row, event->to, fact);
}

static void lowered(struct vl_fold *fold, CASE(CaseRow) *row, const struct vl_fact *fact)
{
	const CASE(PriorityLowered) *event = (const void *)fact->payload;
	prioritise(fold, row, event->to, event->mode, fact);
}

static void started(struct vl_fold *fold, CASE(CaseRow) *row, const struct vl_fact *fact)
{
	(void)fold, (void)fact;
	row->state = CASE_STATE(IN_PROGRESS);
}

static void waiting(struct vl_fold *fold, CASE(CaseRow) *row, const struct vl_fact *fact)
{
	(void)fold;
	int whom = (int)((const CASE(WaitingStarted) *)(const void *)fact->payload)->waiting_for;
	if (whom == CONSULAR__CASE__V1__WAITING_FOR__WAITING_FOR_SUBJECT)
		row->state = CASE_STATE(WAITING_SUBJECT);
	else if (whom == CONSULAR__CASE__V1__WAITING_FOR__WAITING_FOR_FAMILY)
		row->state = CASE_STATE(WAITING_FAMILY);
	else
		row->state = CASE_STATE(WAITING_HOST);
}

static void resolved(struct vl_fold *fold, CASE(CaseRow) *row, const struct vl_fact *fact)
{
	row->state = CASE_STATE(RESOLVED);
	set_outcome(fold, row, ((const CASE(CaseResolved) *)(const void *)fact->payload)->outcome,
		    fact);
}

static void closed(struct vl_fold *fold, CASE(CaseRow) *row, const struct vl_fact *fact)
{
	const CASE(CaseClosed) *event = (const void *)fact->payload;
	if (automatic(event->mode)) {
		CASE_VIOLATION(fold, row, "C8", fact, "closed by a program");
		add_late(fold, row, fact, false);
		return;
	}
	row->state = CASE_STATE(CLOSED);
	row->closed_at = vl_view_stamp(fold, fact->occurred_at);
	row->unable = event->unable;
	set_outcome(fold, row, event->outcome, fact);
}

static void reopened(struct vl_fold *fold, CASE(CaseRow) *row, const struct vl_fact *fact)
{
	(void)fold, (void)fact;
	if (row->state != CASE_STATE(RESOLVED) && !vl_case_ended(row->state))
		return;
	row->state = CASE_STATE(REOPENED);
	row->closed_at = NULL;
	row->outcome = 0;
	row->outcome_set = NULL;
	row->unable = 0;
}

static void merged(struct vl_fold *fold, CASE(CaseRow) *row, const struct vl_fact *fact)
{
	bool clash;
	/* The same is judged for the MergeRow (case_merges.c). */
	if (!vl_case_may_merge(row, fact)) {
		CASE_VIOLATION(fold, row, "C1", fact, "merged or unmerged by %s while %s owns it",
			       fact->mission, row->owner[0] != '\0' ? row->owner : "nobody");
		add_late(fold, row, fact, true);
		return;
	}
	row->merged_into = (char *)(uintptr_t)vl_case_merged(row->merged_into, fact, &clash);
	if (clash)
		CASE_VIOLATION(fold, row, "C6", fact, "merged into %s while merged into %s",
			       ((const CASE(CaseMerged) *)(const void *)fact->payload)->into,
			       row->merged_into);
}

static void referred(struct vl_fold *fold, CASE(CaseRow) *row, const struct vl_fact *fact)
{
	(void)fold, (void)fact;
	row->state = CASE_STATE(REFERRED_OUT);
}

static void ineligible(struct vl_fold *fold, CASE(CaseRow) *row, const struct vl_fact *fact)
{
	(void)fold, (void)fact;
	row->state = CASE_STATE(INELIGIBLE);
}

/* The person's own word: it counts whichever mission heard it, and also on a closed case. */
static void refused(struct vl_fold *fold, CASE(CaseRow) *row, const struct vl_fact *fact)
{
	(void)fold, (void)fact;
	row->help_refused = true;
	if (row->state != CASE_STATE(CLOSED))
		row->state = CASE_STATE(REFUSED_BY_SUBJECT);
}

static void consented(struct vl_fold *fold, CASE(CaseRow) *row, const struct vl_fact *fact)
{
	(void)fold;
	const CASE(ConsentGiven) *event = (const void *)fact->payload;
	if (event->scope == CONSULAR__CASE__V1__CONSENT_SCOPE__CONSENT_SCOPE_DISCLOSURE) {
		row->disclosure_refused = false;
		return;
	}
	/* To what it does not know this build holds nobody to have agreed. */
	if (event->scope != 0 &&
	    vl_view_rank(&consular__case__v1__consent_scope__descriptor, (int)event->scope) == 0)
		return;
	row->help_refused = false;
	if (row->state == CASE_STATE(REFUSED_BY_SUBJECT))
		row->state = CASE_STATE(IN_PROGRESS);
}

static void withdrew(struct vl_fold *fold, CASE(CaseRow) *row, const struct vl_fact *fact)
{
	(void)fold;
	const CASE(ConsentWithdrawn) *event = (const void *)fact->payload;
	if (event->scope == CONSULAR__CASE__V1__CONSENT_SCOPE__CONSENT_SCOPE_DISCLOSURE)
		row->disclosure_refused = true;
	else
		row->help_refused = true;
}

static void published(struct vl_fold *fold, CASE(CaseRow) *row, const struct vl_fact *fact)
{
	const CASE(PublicationMade) *event = (const void *)fact->payload;
	/* vl_case_finish drops this where nobody died. */
	if ((event->names_person || event->locates_person) &&
	    vl_case_count_of(row, "FamilyNotified") == 0)
		CASE_VIOLATION(fold, row, "C4", fact, "published before the family was told");
}

static void cross_consent(struct vl_fold *fold, CASE(CaseRow) *row, const struct vl_fact *fact)
{
	const CASE(CrossDistrictConsentObtained) *event = (const void *)fact->payload;
	vl_fold_add_text(fold, event->reference, &row->n_consents, &row->consents);
}

/* -- the table -- */

static const struct step {
	const ProtobufCMessageDescriptor *event;
	unsigned flags;
	apply_fn *apply;
} steps[] = {
	{CASE_DESCRIPTOR(case_opened), OPENS, opened},
	{CASE_DESCRIPTOR(consultation_recorded), 0, consulted},
	{CASE_DESCRIPTOR(case_identified), MOVE, identified},
	{CASE_DESCRIPTOR(case_classified), MOVE, classified},
	{CASE_DESCRIPTOR(persons_counted), OWN, counted},
	{CASE_DESCRIPTOR(case_triaged), MOVE, triaged},
	{CASE_DESCRIPTOR(priority_raised), 0, raised},
	{CASE_DESCRIPTOR(priority_lowered), MOVE, lowered},
	{CASE_DESCRIPTOR(case_assigned), MOVE, vl_case_assigned},
	{CASE_DESCRIPTOR(work_started), MOVE, started},
	{CASE_DESCRIPTOR(waiting_started), MOVE, waiting},
	{CASE_DESCRIPTOR(case_resolved), MOVE, resolved},
	{CASE_DESCRIPTOR(case_closed), MOVE, closed},
	{CASE_DESCRIPTOR(case_reopened), MOVE | OPENS, reopened},
	{CASE_DESCRIPTOR(transfer_offered), OPENS, vl_case_offered},
	{CASE_DESCRIPTOR(transfer_accepted), OPENS, vl_case_answered},
	{CASE_DESCRIPTOR(transfer_declined), OPENS, vl_case_answered},
	{CASE_DESCRIPTOR(transfer_withdrawn), OPENS, vl_case_answered},
	{CASE_DESCRIPTOR(case_merged), OPENS, merged},
	{CASE_DESCRIPTOR(case_unmerged), OPENS, merged},
	{CASE_DESCRIPTOR(case_referred_out), MOVE, referred},
	{CASE_DESCRIPTOR(case_found_ineligible), MOVE, ineligible},
	{CASE_DESCRIPTOR(refused_by_subject), 0, refused},
	{CASE_DESCRIPTOR(host_notified), HELP, NULL},
	{CASE_DESCRIPTOR(host_replied), 0, NULL},
	{CASE_DESCRIPTOR(contact_attempted), HELP, NULL},
	{CASE_DESCRIPTOR(contact_made), HELP, NULL},
	{CASE_DESCRIPTOR(visit_requested), HELP, NULL},
	{CASE_DESCRIPTOR(visit_granted), 0, NULL},
	{CASE_DESCRIPTOR(visit_made), HELP, NULL},
	{CASE_DESCRIPTOR(consent_given), OWN, consented},
	{CASE_DESCRIPTOR(consent_withdrawn), 0, withdrew},
	{CASE_DESCRIPTOR(family_notified), HELP | TELL, NULL},
	{CASE_DESCRIPTOR(province_notified), HELP | TELL, NULL},
	{CASE_DESCRIPTOR(provider_list_given), HELP, NULL},
	{CASE_DESCRIPTOR(document_issued), HELP, NULL},
	{CASE_DESCRIPTOR(funds_relayed), HELP, NULL},
	{CASE_DESCRIPTOR(cost_undertaken), 0, NULL},
	{CASE_DESCRIPTOR(hearing_attended), HELP, NULL},
	{CASE_DESCRIPTOR(remains_released), 0, NULL},
	{CASE_DESCRIPTOR(note_added), 0, NULL},
	{CASE_DESCRIPTOR(attachment_added), 0, NULL},
	{CASE_DESCRIPTOR(publication_made), HELP | TELL, published},
	{CASE_DESCRIPTOR(cross_district_consent_obtained), 0, cross_consent},
	{CASE_DESCRIPTOR(clock_started), OWN, vl_case_clock_started},
	{CASE_DESCRIPTOR(clock_met), OWN, vl_case_clock_met},
	{CASE_DESCRIPTOR(clock_breached), OWN, vl_case_clock_breached},
};

static const struct step *find_step(const struct vl_fact *fact)
{
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		if (steps[i].event == fact->payload->descriptor)
			return &steps[i];
	}
	return NULL;
}

/* C10: where the act says that it was outside the mission's district, it quotes somebody's
 * consent. */
static void check_place(struct vl_fold *fold, CASE(CaseRow) *row, const struct vl_fact *fact)
{
	const ProtobufCFieldDescriptor *field =
		protobuf_c_message_descriptor_get_field_by_name(fact->payload->descriptor, "place");
	if (field == NULL || field->descriptor != (const void *)CASE_DESCRIPTOR(act_place))
		return;
	const CASE(ActPlace) *place;
	memcpy(&place, (const char *)fact->payload + field->offset, sizeof(place));
	if (place == NULL || place->consent_reference[0] != '\0')
		return;
	if (place->jurisdiction == CONSULAR__CASE__V1__JURISDICTION__JURISDICTION_OTHER_DISTRICT)
		CASE_VIOLATION(fold, row, "C10", fact, "%s in another district without consent",
			       fact->payload->descriptor->short_name);
	else if (place->jurisdiction == CONSULAR__CASE__V1__JURISDICTION__JURISDICTION_THIRD_STATE)
		CASE_VIOLATION(fold, row, "C10", fact, "%s in a third state without consent",
			       fact->payload->descriptor->short_name);
}

void vl_case_step(struct vl_fold *fold, ProtobufCMessage *message, const struct vl_fact *fact)
{
	CASE(CaseRow) *row = (void *)message;
	const struct step *step = find_step(fact);
	count_fact(fold, row, fact);
	if (step == NULL)
		return;
	if (((step->flags & HELP) != 0 && row->help_refused) ||
	    ((step->flags & TELL) != 0 && row->disclosure_refused))
		CASE_VIOLATION(fold, row, "C3", fact, "%s after the person refused",
			       fact->payload->descriptor->short_name);
	check_place(fold, row, fact);
	if ((step->flags & (MOVE | OWN)) != 0 && !vl_case_may_move(row, fact)) {
		CASE_VIOLATION(fold, row, "C1", fact, "%s by %s while %s owns it",
			       fact->payload->descriptor->short_name, fact->mission, row->owner);
		add_late(fold, row, fact, true);
		return;
	}
	if ((step->flags & (MOVE | OWN)) != 0 && step->apply != vl_case_assigned &&
	    row->owner[0] == '\0' && strcmp(fact->mission, CASE_HQ) != 0)
		act_early(fold, fact);
	if (row->state == CASE_STATE(CLOSED) && (step->flags & OPENS) == 0) {
		add_late(fold, row, fact, false);
		if ((step->flags & MOVE) != 0)
			return;
	}
	if (step->apply != NULL)
		step->apply(fold, row, fact);
}
