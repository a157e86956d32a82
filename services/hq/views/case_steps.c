/*
 * One fact on one case. The table says of each event whether it moves the case, acts for the
 * person, or tells others of the person; what it changes beyond that is its own function. A fact
 * that moves nothing is counted and shown.
 */
#include "hq/fold/heads.h"
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

int64_t vl_case_count_of(const CaseRow *row, const char *event)
{
	for (size_t i = 0; i < row->n_facts; i++) {
		if (strcmp(row->facts[i]->name, event) == 0)
			return row->facts[i]->count;
	}
	return 0;
}

static void count_fact(struct vl_fold *fold, CaseRow *row, const struct vl_fact *fact)
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

static void add_late(struct vl_fold *fold, CaseRow *row, const struct vl_fact *fact, bool not_owner)
{
	LateFact *late = vl_fold_add(fold, MESSAGE(LateFact), &row->n_late, &row->late);
	if (late == NULL)
		return;
	late->name = (char *)(uintptr_t)fact->payload->descriptor->short_name;
	late->mission = (char *)(uintptr_t)fact->mission;
	late->at = vl_view_stamp(fold, fact->occurred_at);
	late->event = vl_view_id(fact);
	late->not_owner = not_owner;
}

/* A field gets a value: where another mission had given it another, that one is kept beside. */
static void set_by(struct vl_fold *fold, CaseRow *row, Setter **setter, const char *field,
		   const char *former, const struct vl_fact *fact)
{
	Setter *last = *setter;
	if (last != NULL && former != NULL && strcmp(last->mission, fact->mission) != 0) {
		Replaced *replaced =
			vl_fold_add(fold, MESSAGE(Replaced), &row->n_replaced, &row->replaced);
		if (replaced == NULL)
			return;
		replaced->field = (char *)(uintptr_t)field;
		replaced->value = (char *)(uintptr_t)former;
		replaced->mission = last->mission;
		replaced->at = last->at;
		replaced->event = last->event;
	}
	Setter *now = vl_view_make(fold, MESSAGE(Setter));
	if (now == NULL)
		return;
	now->mission = (char *)(uintptr_t)fact->mission;
	now->at = vl_view_stamp(fold, fact->occurred_at);
	now->event = vl_view_id(fact);
	*setter = now;
}

static void set_type(struct vl_fold *fold, CaseRow *row, CaseType type, const struct vl_fact *fact)
{
	if (type == CASE_TYPE_UNSPECIFIED)
		return;
	const char *former =
		row->type != type ? vl_case_name(fold, MESSAGE(CaseType), (int)row->type) : NULL;
	set_by(fold, row, &row->type_set, "type", former, fact);
	row->type = type;
}

static void set_priority(struct vl_fold *fold, CaseRow *row, Priority priority,
			 const struct vl_fact *fact)
{
	if (priority == 0)
		return;
	const char *former = row->priority != priority
				     ? vl_case_name(fold, MESSAGE(Priority), (int)row->priority)
				     : NULL;
	set_by(fold, row, &row->priority_set, "priority", former, fact);
	row->priority = priority;
}

static void set_outcome(struct vl_fold *fold, CaseRow *row, Outcome outcome,
			const struct vl_fact *fact)
{
	if (outcome == 0)
		return;
	const char *former = row->outcome != outcome
				     ? vl_case_name(fold, MESSAGE(Outcome), (int)row->outcome)
				     : NULL;
	set_by(fold, row, &row->outcome_set, "outcome", former, fact);
	row->outcome = outcome;
}

/* The steps up to ASSIGNED may be told late; they never set a case back. */
static void rise_to(CaseRow *row, CaseState state)
{
	if (row->state < state || row->state == CASE_STATE_CONSULTATION_ONLY)
		row->state = state;
}

/* A mode that this build does not know is no person (C8). */
static bool automatic(Mode mode)
{
	return mode == MODE_AUTOMATIC || (mode != 0 && vl_view_rank(MESSAGE(Mode), (int)mode) == 0);
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
static void undo_early(struct vl_fold *fold, CaseRow *row, const struct vl_fact *fact)
{
	const char *other = NULL;
	for (unsigned slot = CASE_SLOT_EARLY; slot <= CASE_SLOT_EARLY_TOO; slot++) {
		const char *early = *vl_fold_slot(fold, slot);
		if (early != NULL && strcmp(early, fact->mission) != 0)
			other = early;
	}
	if (other == NULL)
		return;
	BREAKS(fold, row, "C1", fact, "%s acted on it, and %s opened it", other, fact->mission);
	if (!row->consultation)
		row->state = CASE_STATE_UNSPECIFIED;
	row->closed_at = NULL;
	row->outcome = 0;
	row->unable = 0;
	row->help_refused = row->disclosure_refused = false;
	row->outcome_set = row->type_set = row->priority_set = NULL;
	row->n_clocks = 0;
	*vl_fold_slot(fold, CASE_SLOT_CLOCKS) = NULL;
}

static STEP(opened, CaseRow, CaseOpened)
{
	if (row->opened_by[0] != '\0') {
		if (strcmp(row->opened_by, fact->mission) != 0)
			BREAKS(fold, row, "C1", fact, "opened by %s and by %s", row->opened_by,
			       fact->mission);
		return;
	}
	undo_early(fold, row, fact);
	row->opened_by = (char *)(uintptr_t)fact->mission;
	row->opened_at = vl_view_stamp(fold, fact->occurred_at);
	if (row->owner[0] == '\0')
		row->owner = (char *)(uintptr_t)fact->mission;
	rise_to(row, CASE_STATE_RECEIVED);
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

static STEP(consulted, CaseRow, ConsultationRecorded)
{
	row->consultation = true;
	if (row->opened_by[0] != '\0')
		return;
	if (row->state == CASE_STATE_UNSPECIFIED)
		row->state = CASE_STATE_CONSULTATION_ONLY;
	set_type(fold, row, event->topic, fact);
	row->persons = event->persons == 0 ? 1 : event->persons;
	row->host_country = event->host_country;
}

static STEP(identified, CaseRow, ProtobufCMessage)
{
	rise_to(row, CASE_STATE_IDENTIFIED);
}

static STEP(classified, CaseRow, CaseClassified)
{
	set_type(fold, row, event->type, fact);
}

static STEP(counted, CaseRow, PersonsCounted)
{
	row->persons = event->persons;
}

/* P1 is the most urgent. A number that this build does not know is the least. */
static int urgency(Priority priority)
{
	int rank = vl_view_rank(MESSAGE(Priority), (int)priority);
	return rank != 0 ? rank : INT_MAX;
}

/* C8: a program may make a case more urgent, never less. */
static void prioritise(struct vl_fold *fold, CaseRow *row, Priority to, Mode mode,
		       const struct vl_fact *fact)
{
	if (automatic(mode) && row->priority != 0 && urgency(to) > urgency(row->priority)) {
		BREAKS(fold, row, "C8", fact, "lowered from P%d to P%d by a program",
		       (int)row->priority, (int)to);
		add_late(fold, row, fact, false);
		return;
	}
	set_priority(fold, row, to, fact);
}

static STEP(triaged, CaseRow, CaseTriaged)
{
	rise_to(row, CASE_STATE_TRIAGED);
	prioritise(fold, row, event->priority, event->mode, fact);
}

static STEP(raised, CaseRow, PriorityRaised)
{
	if (row->priority == 0 || urgency(event->to) < urgency(row->priority))
		set_priority(fold, row, event->to, fact);
}

static STEP(lowered, CaseRow, PriorityLowered)
{
	prioritise(fold, row, event->to, event->mode, fact);
}

static STEP(started, CaseRow, ProtobufCMessage)
{
	row->state = CASE_STATE_IN_PROGRESS;
}

static STEP(waiting, CaseRow, WaitingStarted)
{
	int whom = (int)event->waiting_for;
	if (whom == WAITING_FOR_SUBJECT)
		row->state = CASE_STATE_WAITING_SUBJECT;
	else if (whom == WAITING_FOR_FAMILY)
		row->state = CASE_STATE_WAITING_FAMILY;
	else
		row->state = CASE_STATE_WAITING_HOST;
}

static STEP(resolved, CaseRow, CaseResolved)
{
	row->state = CASE_STATE_RESOLVED;
	set_outcome(fold, row, event->outcome, fact);
}

static STEP(closed, CaseRow, CaseClosed)
{
	if (automatic(event->mode)) {
		BREAKS(fold, row, "C8", fact, "closed by a program");
		add_late(fold, row, fact, false);
		return;
	}
	row->state = CASE_STATE_CLOSED;
	row->closed_at = vl_view_stamp(fold, fact->occurred_at);
	row->unable = event->unable;
	set_outcome(fold, row, event->outcome, fact);
}

static STEP(reopened, CaseRow, ProtobufCMessage)
{
	if (row->state != CASE_STATE_RESOLVED && !vl_case_ended(row->state))
		return;
	row->state = CASE_STATE_REOPENED;
	row->closed_at = NULL;
	row->outcome = 0;
	row->outcome_set = NULL;
	row->unable = 0;
}

static STEP(merged, CaseRow, CaseMerged)
{
	bool clash;
	/* The same is judged for the MergeRow (case_merges.c). */
	if (!vl_case_may_merge(row, fact)) {
		BREAKS(fold, row, "C1", fact, "merged or unmerged by %s while %s owns it",
		       fact->mission, row->owner[0] != '\0' ? row->owner : "nobody");
		add_late(fold, row, fact, true);
		return;
	}
	row->merged_into = (char *)(uintptr_t)vl_case_merged(row->merged_into, fact, &clash);
	if (clash)
		BREAKS(fold, row, "C6", fact, "merged into %s while merged into %s", event->into,
		       row->merged_into);
}

static STEP(referred, CaseRow, ProtobufCMessage)
{
	row->state = CASE_STATE_REFERRED_OUT;
}

static STEP(ineligible, CaseRow, ProtobufCMessage)
{
	row->state = CASE_STATE_INELIGIBLE;
}

/* The person's own word: it counts whichever mission heard it, and also on a closed case. */
static STEP(refused, CaseRow, ProtobufCMessage)
{
	row->help_refused = true;
	if (row->state != CASE_STATE_CLOSED)
		row->state = CASE_STATE_REFUSED_BY_SUBJECT;
}

static STEP(consented, CaseRow, ConsentGiven)
{
	if (event->scope == CONSENT_SCOPE_DISCLOSURE) {
		row->disclosure_refused = false;
		return;
	}
	/* To what it does not know this build holds nobody to have agreed. */
	if (event->scope != 0 && vl_view_rank(MESSAGE(ConsentScope), (int)event->scope) == 0)
		return;
	row->help_refused = false;
	if (row->state == CASE_STATE_REFUSED_BY_SUBJECT)
		row->state = CASE_STATE_IN_PROGRESS;
}

static STEP(withdrew, CaseRow, ConsentWithdrawn)
{
	if (event->scope == CONSENT_SCOPE_DISCLOSURE)
		row->disclosure_refused = true;
	else
		row->help_refused = true;
}

static STEP(published, CaseRow, PublicationMade)
{
	/* vl_case_finish drops this where nobody died. */
	if ((event->names_person || event->locates_person) &&
	    vl_case_count_of(row, "FamilyNotified") == 0)
		BREAKS(fold, row, "C4", fact, "published before the family was told");
}

static STEP(cross_consent, CaseRow, CrossDistrictConsentObtained)
{
	vl_fold_add_text(fold, event->reference, &row->n_consents, &row->consents);
}

/* -- the table -- */

static const struct vl_step steps[] = {
	{MESSAGE(CaseOpened), opened, OPENS},
	{MESSAGE(ConsultationRecorded), consulted},
	{MESSAGE(CaseIdentified), identified, MOVE},
	{MESSAGE(CaseClassified), classified, MOVE},
	{MESSAGE(PersonsCounted), counted, OWN},
	{MESSAGE(CaseTriaged), triaged, MOVE},
	{MESSAGE(PriorityRaised), raised},
	{MESSAGE(PriorityLowered), lowered, MOVE},
	{MESSAGE(CaseAssigned), vl_case_assigned, MOVE},
	{MESSAGE(WorkStarted), started, MOVE},
	{MESSAGE(WaitingStarted), waiting, MOVE},
	{MESSAGE(CaseResolved), resolved, MOVE},
	{MESSAGE(CaseClosed), closed, MOVE},
	{MESSAGE(CaseReopened), reopened, MOVE | OPENS},
	{MESSAGE(TransferOffered), vl_case_offered, OPENS},
	{MESSAGE(TransferAccepted), vl_case_answered, OPENS},
	{MESSAGE(TransferDeclined), vl_case_answered, OPENS},
	{MESSAGE(TransferWithdrawn), vl_case_answered, OPENS},
	{MESSAGE(CaseMerged), merged, OPENS},
	{MESSAGE(CaseUnmerged), merged, OPENS},
	{MESSAGE(CaseReferredOut), referred, MOVE},
	{MESSAGE(CaseFoundIneligible), ineligible, MOVE},
	{MESSAGE(RefusedBySubject), refused},
	{MESSAGE(HostNotified), NULL, HELP},
	{MESSAGE(HostReplied), NULL},
	{MESSAGE(ContactAttempted), NULL, HELP},
	{MESSAGE(ContactMade), NULL, HELP},
	{MESSAGE(VisitRequested), NULL, HELP},
	{MESSAGE(VisitGranted), NULL},
	{MESSAGE(VisitMade), NULL, HELP},
	{MESSAGE(ConsentGiven), consented, OWN},
	{MESSAGE(ConsentWithdrawn), withdrew},
	{MESSAGE(FamilyNotified), NULL, HELP | TELL},
	{MESSAGE(ProvinceNotified), NULL, HELP | TELL},
	{MESSAGE(ProviderListGiven), NULL, HELP},
	{MESSAGE(DocumentIssued), NULL, HELP},
	{MESSAGE(FundsRelayed), NULL, HELP},
	{MESSAGE(CostUndertaken), NULL},
	{MESSAGE(HearingAttended), NULL, HELP},
	{MESSAGE(RemainsReleased), NULL},
	{MESSAGE(NoteAdded), NULL},
	{MESSAGE(AttachmentAdded), NULL},
	{MESSAGE(PublicationMade), published, HELP | TELL},
	{MESSAGE(CrossDistrictConsentObtained), cross_consent},
	{MESSAGE(ClockStarted), vl_case_clock_started, OWN},
	{MESSAGE(ClockMet), vl_case_clock_met, OWN},
	{MESSAGE(ClockBreached), vl_case_clock_breached, OWN},
};

static const struct vl_step *find_step(const struct vl_fact *fact)
{
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		if (steps[i].type == fact->payload->descriptor)
			return &steps[i];
	}
	return NULL;
}

/* C10: where the act says that it was outside the mission's district, it quotes somebody's
 * consent. */
static void check_place(struct vl_fold *fold, CaseRow *row, const struct vl_fact *fact)
{
	const ProtobufCFieldDescriptor *field =
		protobuf_c_message_descriptor_get_field_by_name(fact->payload->descriptor, "place");
	if (field == NULL || field->descriptor != (const void *)MESSAGE(ActPlace))
		return;
	const ActPlace *place;
	memcpy(&place, (const char *)fact->payload + field->offset, sizeof(place));
	if (place == NULL || place->consent_reference[0] != '\0')
		return;
	if (place->jurisdiction == JURISDICTION_OTHER_DISTRICT)
		BREAKS(fold, row, "C10", fact, "%s in another district without consent",
		       fact->payload->descriptor->short_name);
	else if (place->jurisdiction == JURISDICTION_THIRD_STATE)
		BREAKS(fold, row, "C10", fact, "%s in a third state without consent",
		       fact->payload->descriptor->short_name);
}

void vl_case_step(struct vl_fold *fold, ProtobufCMessage *message, const struct vl_fact *fact)
{
	CaseRow *row = (void *)message;
	const struct vl_step *step = find_step(fact);
	count_fact(fold, row, fact);
	if (step == NULL)
		return;
	if (((step->flags & HELP) != 0 && row->help_refused) ||
	    ((step->flags & TELL) != 0 && row->disclosure_refused))
		BREAKS(fold, row, "C3", fact, "%s after the person refused",
		       fact->payload->descriptor->short_name);
	check_place(fold, row, fact);
	if ((step->flags & (MOVE | OWN)) != 0 && !vl_case_may_move(row, fact)) {
		BREAKS(fold, row, "C1", fact, "%s by %s while %s owns it",
		       fact->payload->descriptor->short_name, fact->mission, row->owner);
		add_late(fold, row, fact, true);
		return;
	}
	if ((step->flags & (MOVE | OWN)) != 0 && step->take != vl_case_assigned &&
	    row->owner[0] == '\0' && strcmp(fact->mission, CASE_HQ) != 0)
		act_early(fold, fact);
	if (row->state == CASE_STATE_CLOSED && (step->flags & OPENS) == 0) {
		add_late(fold, row, fact, false);
		if ((step->flags & MOVE) != 0)
			return;
	}
	if (step->take != NULL)
		step->take(fold, message, fact);
}
