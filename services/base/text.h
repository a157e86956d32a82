/*
 * Functions on text and bytes: hex, UUIDs, UTF-8, big-endian numbers.
 *
 * Next: unicode.h, which names may look alike.
 */
#ifndef VALISE_BASE_TEXT_H
#define VALISE_BASE_TEXT_H

#include "base/clock.h"
#include "base/rand.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Lower-case hex and a NUL: `text` has room for 2 * count + 1. Returns `text`. */
const char *vl_hex(const void *bytes, size_t count, char *text);

/* Exactly 2 * count hex digits, either case, within `length` characters of text. False for anything
 * else. */
bool vl_unhex(const char *text, size_t length, void *bytes, size_t count);

/* An event's id: a UUID of version 7 (RFC 9562). */
struct vl_event_id {
	uint8_t bytes[16];
};

#define VL_UUID_TEXT 37
struct vl_event_id vl_uuid7(const struct vl_clock *clock, const struct vl_rand *rand);
const char *vl_uuid_format(const uint8_t bytes[16], char text[VL_UUID_TEXT]);
bool vl_uuid_parse(const char *text, size_t length, uint8_t bytes[16]);

/* True where the bytes are well-formed UTF-8 (RFC 3629) and hold no NUL. `bad`, which may be NULL,
 * is set to the offset of the first byte that is not. */
bool vl_utf8_valid(const void *bytes, size_t count, size_t *bad);

/* The character at the beginning of `left` bytes (1 or more), and how many bytes it has. For
 * NUL, or a byte that begins no well-formed character, it is VL_CHARACTER_BAD, with one byte. */
#define VL_CHARACTER_BAD UINT32_MAX
uint32_t vl_character(const void *bytes, size_t left, size_t *length);

/* Whether a terminal may obey the character instead of showing it, or shows nothing. These are
 * controls (C0, DEL, C1), marks that turn the direction, line separators, and format characters
 * without width. */
bool vl_character_unsafe(uint32_t c);

/* For text from outside that a terminal or a log may show: the same text, with unsafe characters
 * and bad bytes replaced by '?'. */
const char *vl_printable(const char *text, char *out, size_t room);

/* Big-endian numbers, so that LMDB's byte order is numeric order. */
static inline void vl_put_be64(uint8_t *to, uint64_t n)
{
	for (int i = 0; i < 8; i++)
		to[i] = (uint8_t)(n >> (56 - 8 * i));
}

static inline uint64_t vl_get_be64(const uint8_t *from)
{
	uint64_t n = 0;
	for (int i = 0; i < 8; i++)
		n = n << 8 | from[i];
	return n;
}

static inline void vl_put_be32(uint8_t *to, uint32_t n)
{
	for (int i = 0; i < 4; i++)
		to[i] = (uint8_t)(n >> (24 - 8 * i));
}

static inline uint32_t vl_get_be32(const uint8_t *from)
{
	return (uint32_t)from[0] << 24 | (uint32_t)from[1] << 16 | (uint32_t)from[2] << 8 | from[3];
}

/* As memcmp. Of two ids the later one is greater, unless both were made in one millisecond. */
static inline int vl_event_id_compare(const struct vl_event_id *a, const struct vl_event_id *b)
{
	uint64_t x = vl_get_be64(a->bytes), y = vl_get_be64(b->bytes);

	if (x == y) {
		x = vl_get_be64(a->bytes + 8);
		y = vl_get_be64(b->bytes + 8);
	}
	return x < y ? -1 : x > y;
}

#endif
