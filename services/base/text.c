#include "base/text.h"

#include <string.h>

const char *vl_hex(const void *bytes, size_t count, char *text)
{
	static const char digit[] = "0123456789abcdef";
	const uint8_t *from = bytes;

	for (size_t i = 0; i < count; i++) {
		text[2 * i] = digit[from[i] >> 4];
		text[2 * i + 1] = digit[from[i] & 15];
	}
	text[2 * count] = '\0';
	return text;
}

static int nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool vl_unhex(const char *text, size_t length, void *bytes, size_t count)
{
	uint8_t *to = bytes;

	if (length != 2 * count)
		return false;
	for (size_t i = 0; i < count; i++) {
		int high = nibble(text[2 * i]), low = nibble(text[2 * i + 1]);
		if (high < 0 || low < 0)
			return false;
		to[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

struct vl_event_id vl_uuid7(const struct vl_clock *clock, const struct vl_rand *rand)
{
	struct vl_event_id id;
	uint64_t ms = (uint64_t)vl_time_ms(vl_clock_now(clock));

	vl_rand_fill(rand, id.bytes, sizeof(id.bytes));
	for (int i = 0; i < 6; i++)
		id.bytes[i] = (uint8_t)(ms >> (40 - 8 * i));
	id.bytes[6] = (uint8_t)(0x70 | (id.bytes[6] & 0x0f));
	id.bytes[8] = (uint8_t)(0x80 | (id.bytes[8] & 0x3f));
	return id;
}

const char *vl_uuid_format(const uint8_t bytes[16], char text[VL_UUID_TEXT])
{
	static const uint8_t group[] = {4, 2, 2, 2, 6};
	char *to = text;

	for (size_t g = 0; g < sizeof(group); g++) {
		(void)vl_hex(bytes, group[g], to);
		bytes += group[g];
		to += 2 * group[g];
		*to++ = g + 1 < sizeof(group) ? '-' : '\0';
	}
	return text;
}

bool vl_uuid_parse(const char *text, size_t length, uint8_t bytes[16])
{
	char hex[32];
	size_t n = 0;

	if (length == 32)
		return vl_unhex(text, length, bytes, 16);
	if (length != 36)
		return false;
	for (size_t i = 0; i < length; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;
		if (dash != (text[i] == '-'))
			return false;
		if (!dash)
			hex[n++] = text[i];
	}
	return vl_unhex(hex, n, bytes, 16);
}

/* The length of the well-formed sequence at `s`, or 0. */
static size_t sequence(const uint8_t *s, size_t left)
{
	uint8_t lead = s[0];
	size_t length = lead < 0x80   ? 1
			: lead < 0xc2 ? 0
			: lead < 0xe0 ? 2
			: lead < 0xf0 ? 3
			: lead < 0xf5 ? 4
				      : 0;

	if (lead == 0 || length > left)
		return 0;
	for (size_t i = 1; i < length; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((lead == 0xe0 && s[1] < 0xa0) || (lead == 0xed && s[1] > 0x9f) ||
	    (lead == 0xf0 && s[1] < 0x90) || (lead == 0xf4 && s[1] > 0x8f))
		return 0;
	return length;
}

bool vl_utf8_valid(const void *bytes, size_t count, size_t *bad)
{
	const uint8_t *s = bytes;

	for (size_t i = 0; i < count;) {
		size_t length = sequence(s + i, count - i);
		if (length == 0) {
			if (bad != NULL)
				*bad = i;
			return false;
		}
		i += length;
	}
	return true;
}

uint32_t vl_character(const void *bytes, size_t left, size_t *length)
{
	const uint8_t *s = bytes;
	size_t good = 0;

	*length = 1;
	if (s[0] < 0x80)
		return s[0] != 0 ? s[0] : VL_CHARACTER_BAD;
	size_t size = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	if (left < size || (!vl_utf8_valid(s, size, &good) && good == 0))
		return VL_CHARACTER_BAD;
	uint32_t c = s[0] & (0xffU >> (size + 1));
	for (size_t i = 1; i < size; i++)
		c = c << 6 | (s[i] & 0x3f);
	*length = size;
	return c;
}

bool vl_character_unsafe(uint32_t c)
{
	static const struct {
		uint32_t from, to;
	} spans[] = {
		{0x0000, 0x001f},       {0x007f, 0x009f}, {0x061c, 0x061c}, {0x180e, 0x180e},
		{0x200b, 0x200b},       {0x200e, 0x200f}, {0x2028, 0x202e}, {0x2060, 0x206f},
		{0xfeff, 0xfeff},       {0xfff9, 0xfffb}, {0xfffe, 0xffff}, {0xe0000, 0xe007f},
		{0x110000, UINT32_MAX},
	};

	for (size_t i = 0; i < sizeof(spans) / sizeof(spans[0]); i++)
		if (c >= spans[i].from && c <= spans[i].to)
			return true;
	return false;
}

const char *vl_printable(const char *text, char *out, size_t room)
{
	size_t left = strlen(text), n = 0, length;

	for (; left > 0; text += length, left -= length) {
		bool safe = !vl_character_unsafe(vl_character(text, left, &length));
		if (n + (safe ? length : 1) >= room)
			break;
		memcpy(out + n, safe ? text : "?", safe ? length : 1);
		n += safe ? length : 1;
	}
	out[n] = '\0';
	return out;
}
