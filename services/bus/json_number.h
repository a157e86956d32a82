/*
 * Numbers in proto3 JSON, exactly: whole numbers of 64 bits of either sign, in any spelling
 * ("1e17", 15.0, 18446744073709551615).
 *
 * jansson keeps whole numbers in 63 bits and a sign, and all others in doubles, which lose digits.
 * So a number that might lose digits is kept as its text: before parsing it is wrapped into an
 * object {"#number": "TEXT"}. These functions read that.
 *
 * Next: json_parse.h, the two halves of the parser.
 */
#ifndef VALISE_BUS_JSON_NUMBER_H
#define VALISE_BUS_JSON_NUMBER_H

#include "base/arena.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* A whole number: its sign and its size. */
struct vl_json_whole {
	bool minus;
	uint64_t size;
};

/* Wrap the numbers that need it. If there are none, *text and *length stay as they are. Else
 * they become a copy in the arena, which may have failed. */
void vl_json_wrap_numbers(const char **text, size_t *length, struct vl_arena *arena);

/* Whether it is a number, wrapped or not. */
bool vl_json_is_number(const json_t *json);

/* A JSON number, or its text in a string. False if it is no number, is not whole, or needs more
 * than 64 bits. */
bool vl_json_read_whole(const json_t *json, struct vl_json_whole *number);

/* A JSON number as a double. False if it is no number, or beyond the range of a double. */
bool vl_json_read_double(const json_t *json, double *number);

/* The text of a number as JSON has it (RFC 8259, section 6), whole and within 64 bits. */
bool vl_json_parse_whole(const char *text, size_t length, struct vl_json_whole *number);

#endif
