/*
 * Errors: one enum for the whole program, with a class that says what to do about each.
 *
 * A function that can fail returns `enum vl_err`. If its caller may want words, it also takes a
 * `struct vl_why`, owned by the caller; NULL means that no words are wanted. The error is carried
 * up unchanged. A program reports it once, as `program: cannot VERB 'OBJECT': reason`. A reason
 * never holds personal data, keys or payloads.
 *
 * Next: buf.h, the bytes that all modules pass to each other.
 */
#ifndef VALISE_BASE_ERR_H
#define VALISE_BASE_ERR_H

#include <stddef.h>

/* What the caller does about an error. */
enum vl_err_class {
	VL_CLASS_OK,     /* nothing is wrong */
	VL_CLASS_RETRY,  /* the same call may work later */
	VL_CLASS_REJECT, /* this input will never be accepted; go on with the next */
	VL_CLASS_FATAL,  /* the process cannot keep its promises; stop */
};

/* NAME, class, text: lower case, no full stop. The name in lower case is also the reason of a
 * dead letter. */
#define VL_ERR_TABLE(X)                                               \
	X(OK, OK, "ok")                                               \
	X(BUSY, RETRY, "busy")                                        \
	X(FULL, RETRY, "no room left")                                \
	X(UNREACHABLE, RETRY, "broker unreachable")                   \
	X(TIMEOUT, RETRY, "timed out")                                \
	X(END, RETRY, "nothing more for now")                         \
	X(NOT_FOUND, REJECT, "not found")                             \
	X(EXISTS, REJECT, "exists already")                           \
	X(USAGE, REJECT, "wrong usage")                               \
	X(CONFIG, REJECT, "wrong configuration")                      \
	X(NULL_VALUE, REJECT, "no value")                             \
	X(TOO_LARGE, REJECT, "too large")                             \
	X(BAD_HEADER, REJECT, "header not as agreed")                 \
	X(UNSIGNED, REJECT, "no signature")                           \
	X(UNKNOWN_KEY, REJECT, "unknown key")                         \
	X(BAD_SIGNATURE, REJECT, "signature does not fit")            \
	X(WRONG_MISSION, REJECT, "signed by another mission's key")   \
	X(WRONG_LANE, REJECT, "made for another lane")                \
	X(DRILL, REJECT, "an exercise, never applied as real")        \
	X(MALFORMED, REJECT, "malformed")                             \
	X(UNKNOWN_TYPE, REJECT, "unknown type")                       \
	X(UNKNOWN_FIELD, REJECT, "unknown field")                     \
	X(INVALID, REJECT, "invalid")                                 \
	X(NIL_ID, REJECT, "an id that names no event")                \
	X(ID_REUSED, REJECT, "an id used for another event, too")     \
	X(PERMISSION, FATAL, "permission denied")                     \
	X(LOCKED, FATAL, "in use by another process")                 \
	X(CORRUPT, FATAL, "damaged")                                  \
	X(VERSION, FATAL, "of another version")                       \
	X(NOMEM, FATAL, "out of memory")                              \
	X(IO, FATAL, "input/output error")                            \
	X(OUTCOME_UNKNOWN, FATAL, "whether it was stored is unknown") \
	X(GONE, FATAL, "the handle is dead")                          \
	X(BUG, FATAL, "internal error")

enum vl_err {
#define VL_ERR_NAME(name, class, text) VL_ERR_##name,
	VL_ERR_TABLE(VL_ERR_NAME)
#undef VL_ERR_NAME
		VL_ERR_COUNT
};

#define VL_OK VL_ERR_OK
#define VL_CHECKED __attribute__((warn_unused_result))

/* Room for the words of one error. Start with `struct vl_why why = {0}`. */
struct vl_why {
	char text[256];
};

/* The class of an error; FATAL for a number that is none. */
enum vl_err_class vl_err_class(enum vl_err err);

/* A short text, never NULL; static. */
const char *vl_err_text(enum vl_err err);

/* The name in lower case with underscores, as written into headers and JSON ("bad_signature");
 * static. */
const char *vl_err_name(enum vl_err err);

/* Write the words into `why` (which may be NULL) and return `err`, so that one line both
 * explains and returns. */
enum vl_err vl_fail(struct vl_why *why, enum vl_err err, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* What to print: the words of `why` where there are any, else the error's own text. */
const char *vl_why_text(const struct vl_why *why, enum vl_err err);

#endif
