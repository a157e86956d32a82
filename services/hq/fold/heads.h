/*
 * How a view's own functions begin, so that each has its row and its event by their types. Only
 * the files of views include it.
 *
 * Next: bind.h, where the tables are bound.
 */
#ifndef VALISE_HQ_FOLD_HEADS_H
#define VALISE_HQ_FOLD_HEADS_H

#include "hq/fold/declare.h"

/* `static STEP(name, Row, Event) { ... }` has `fold`, `row`, `event` and `fact`. TEST(name, Row)
 * has `row`; FINISH and CONTRIBUTE have `fold` and `row`. CELL and LISTED have `row`, `key` and
 * `now`, and a cell `out`. Row and Event are types of short.h. Without `static` other files may
 * call it. */
#define VL_UNUSED __attribute__((unused))
#define STEP(name, Row, Event)                                                              \
	void name(struct vl_fold *fold, ProtobufCMessage *row, const struct vl_fact *fact); \
	static void name##_(struct vl_fold *fold, Row *row, const Event *event,             \
			    const struct vl_fact *fact);                                    \
	void name(struct vl_fold *fold, ProtobufCMessage *row, const struct vl_fact *fact)  \
	{                                                                                   \
		name##_(fold, (void *)row, (const void *)fact->payload, fact);              \
	}                                                                                   \
	static void name##_(VL_UNUSED struct vl_fold *fold, VL_UNUSED Row *row,             \
			    VL_UNUSED const Event *event, VL_UNUSED const struct vl_fact *fact)
#define TEST(name, Row)                            \
	bool name(const ProtobufCMessage *row);    \
	static bool name##_(const Row *row);       \
	bool name(const ProtobufCMessage *row)     \
	{                                          \
		return name##_((const void *)row); \
	}                                          \
	static bool name##_(const Row *row)
#define FINISH(name, Row)                                       \
	void name(struct vl_fold *fold, ProtobufCMessage *row); \
	static void name##_(struct vl_fold *fold, Row *row);    \
	void name(struct vl_fold *fold, ProtobufCMessage *row)  \
	{                                                       \
		name##_(fold, (void *)row);                     \
	}                                                       \
	static void name##_(struct vl_fold *fold, VL_UNUSED Row *row)
#define CONTRIBUTE(name, Row)                                         \
	void name(struct vl_fold *fold, const ProtobufCMessage *row); \
	static void name##_(struct vl_fold *fold, const Row *row);    \
	void name(struct vl_fold *fold, const ProtobufCMessage *row)  \
	{                                                             \
		name##_(fold, (const void *)row);                     \
	}                                                             \
	static void name##_(struct vl_fold *fold, VL_UNUSED const Row *row)
#define CELL(name, Row)                                                             \
	void name(const char *key, const ProtobufCMessage *row, struct vl_time now, \
		  struct vl_buf *out);                                              \
	static void name##_(const char *key, const Row *row, struct vl_time now,    \
			    struct vl_buf *out);                                    \
	void name(const char *key, const ProtobufCMessage *row, struct vl_time now, \
		  struct vl_buf *out)                                               \
	{                                                                           \
		name##_(key, (const void *)row, now, out);                          \
	}                                                                           \
	static void name##_(VL_UNUSED const char *key, const Row *row,              \
			    VL_UNUSED struct vl_time now, struct vl_buf *out)
#define LISTED(name, Row)                                                            \
	bool name(const char *key, const ProtobufCMessage *row, struct vl_time now); \
	static bool name##_(const Row *row, struct vl_time now);                     \
	bool name(const char *key, const ProtobufCMessage *row, struct vl_time now)  \
	{                                                                            \
		(void)key;                                                           \
		return name##_((const void *)row, now);                              \
	}                                                                            \
	static bool name##_(VL_UNUSED const Row *row, VL_UNUSED struct vl_time now)

#endif
