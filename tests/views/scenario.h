/*
 * Scenarios: the events of missions and the rows that headquarters must show, as text that an
 * officer can read and extend.
 *
 *     # A loan that is answered too late.
 *     CN-SD-EMB {"subject": "LN-1", "occurredAt": "2026-03-02T09:00:00Z",
 *                "payload": {"@type": "consular.loan.v1.LoanRequested"}}
 *     CN-SD-EMB answer {...}
 *     CN-EG-EMB note after answer {...}
 *     = loan LN-1 {"state": "LOAN_STATE_APPROVED", "paid": null}
 *     ! loan LN-1 L3
 *
 * A line that begins with a mission is its event, as `valise publish` takes it. It may have a name,
 * and follow another by its name. "=" is a row by its kind and key, as `valise NOUN show -o json`
 * prints it. Each named field must be so; null is one that must be absent. "!" lists the rules that
 * the row breaks, all of them; without a rule, the row breaks none. A key with blanks is in quotes.
 *
 * Events may be of several lanes. The kinds are those of the first event's lane. A kind of another
 * lane has its noun in front: "= evacuation/person P-1 {...}".
 *
 * Next: faults/faults.h, faults of disk and memory.
 */
#ifndef VALISE_TESTS_VIEWS_SCENARIO_H
#define VALISE_TESTS_VIEWS_SCENARIO_H

#include "base/arena.h"
#include "valise/v1/batch.pb-c.h"

#include <stdbool.h>
#include <stddef.h>

struct scenario_event {
	const char *mission, *name;
	size_t after; /* the index of the event that it follows, or SIZE_MAX */
	const Valise__V1__Event *event;
	const ProtobufCMessage *payload;
	size_t view; /* its lane: an index of vl_views */
	size_t line;
};

struct scenario_row {
	size_t view;
	unsigned kind;
	const char *named, *key, *json; /* NULL for a line of rules */
	char **rules;
	size_t n_rules, line;
};

struct scenario {
	const char *path;
	struct vl_arena *arena;
	struct scenario_event *events;
	struct scenario_row *rows;
	size_t n_events, n_rows;
};

/* Prints the faults, with file and line, and ends the process. */
struct scenario scenario_read(const char *path);
void scenario_close(struct scenario *scenario);

/* Whether the row (NULL: there is none) is as expected; prints the difference. */
bool scenario_check(const struct scenario *scenario, const struct scenario_row *expected,
		    const ProtobufCMessage *row);

/* Call `run` for every *.scenario below the folder `dir`, and in its folders; how many there were.
 * */
size_t scenario_each(const char *dir, void (*run)(const char *path));

#endif
