/*
 * The lanes, and the payload types of each. Both tables are made at build time: the lanes from the
 * topic catalogue (brokers/topics.yaml), the types from the .proto files. A new system needs no
 * line here.
 *
 * A lane may be addressed. Then each mission has one of its own, "<lane>.<MISSION>". It is a topic
 * and a chain by itself, and only that mission reads it. The payload's package is still the lane's.
 *
 * Next: json.h, events as proto3 JSON.
 */
#ifndef VALISE_BUS_TYPES_H
#define VALISE_BUS_TYPES_H

#include "base/buf.h"

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>

/* The lane of pulses (proto/valise/pulse/v1), and headquarters' lanes to each mission: how far
 * it has applied, and what it requests. */
#define VL_PULSE_LANE "valise.pulse.v1"
#define VL_RECEIPT_LANE "valise.receipt.v1"
#define VL_DIRECTIVE_LANE "valise.directive.v1"

/* The signer of receipts and directives. */
#define VL_HEADQUARTERS "HQ"

/* Most urgent first. */
enum vl_precedence { VL_FLASH, VL_IMMEDIATE, VL_PRIORITY, VL_ROUTINE, VL_PRECEDENCES };

/* Room for the name of any lane, and a NUL. */
#define VL_LANE_NAME_MAX ((size_t)128)

struct vl_lane {
	const char *name; /* proto package = topic = view */
	enum vl_precedence precedence;
	/* Kafka drops its old batches, so its chain there has holes and is still whole */
	bool compacted;
	bool broadcast; /* there is a topic of just this name */
	bool addressed; /* each mission has a topic of its own, "<name>.<MISSION>" */
	/* missions act on it because headquarters says it: only headquarters' agent accepts an
	 * event for it */
	bool headquarters;
};

/* All lanes of the catalogue, by name. */
extern const struct vl_lane vl_lanes[];
extern const size_t vl_n_lanes;

/* The lane of that name, or NULL. */
const struct vl_lane *vl_lane_find(const char *name, size_t length);

/* The same for the name of a topic, or for a batch's lane. If it is the name of an addressed
 * lane, `mission` (may be NULL) is set to its mission; otherwise `mission` is empty. */
const struct vl_lane *vl_lane_named(const char *name, size_t length, struct vl_bytes *mission);

/* "FLASH" and so on; static. */
const char *vl_precedence_name(enum vl_precedence precedence);

/* An event type by its full name ("consular.case.v1.CaseOpened"): a top-level message of
 * <lane>/<noun>.proto. NULL where there is none. */
const ProtobufCMessageDescriptor *vl_type_find(const char *name, size_t length);

/* All event types of a lane, by name: a run of `*count`, static. */
const ProtobufCMessageDescriptor *const *vl_types_of(const char *lane, size_t *count);

/* Any message type by its full name, events or not. */
const ProtobufCMessageDescriptor *vl_message_find(const char *name, size_t length);

/* The lane a type belongs to: the one whose name is its package. NULL where it has none. */
const struct vl_lane *vl_type_lane(const ProtobufCMessageDescriptor *type);

/* The mission that a payload of this type is for, by its field "mission". False if the type has
 * no such field, or its text is not a mission's id. */
bool vl_type_addressee(const ProtobufCMessageDescriptor *type, struct vl_bytes payload,
		       struct vl_bytes *mission);

/* The text before a type's full name in the type URLs made here. */
#define VL_TYPE_PREFIX "type.googleapis.com/"

/* The full name within a type URL: the part behind its last slash, or the whole without a slash
 * ("type.googleapis.com/consular.case.v1.CaseOpened"). */
const char *vl_type_name(const char *url, size_t length, size_t *name_length);

#endif
