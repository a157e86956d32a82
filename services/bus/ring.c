#include "bus/ring.h"

#include "base/buf.h"
#include "base/text.h"
#include "bus/key_file.h"
#include "bus/keys.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PAST "past"
#define BYTE_ORDER_MARK "\xef\xbb\xbf"

struct fault {
	char file[VL_RING_FILE];
	char text[sizeof((struct vl_why *)0)->text];
};

struct vl_ring {
	struct vl_ring_entry *entries; /* by id */
	size_t count, room;
	struct fault *faults;
	size_t n_faults;
};

/* -- the keys -- */

/* Where an entry of that id is, or would go. */
static size_t place_of(const struct vl_ring *ring, const struct vl_key_id *id)
{
	size_t low = 0, high = ring->count;

	while (low < high) {
		size_t middle = (low + high) / 2;
		if (memcmp(ring->entries[middle].id.bytes, id->bytes, sizeof(id->bytes)) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct vl_ring_entry *find(const struct vl_ring *ring, const struct vl_key_id *id)
{
	size_t place = place_of(ring, id);

	if (place == ring->count ||
	    memcmp(ring->entries[place].id.bytes, id->bytes, sizeof(id->bytes)) != 0)
		return NULL;
	return &ring->entries[place];
}

const struct vl_ring_entry *vl_ring_find(const struct vl_ring *ring, const struct vl_key_id *id)
{
	return find(ring, id);
}

static struct vl_key_end *end_of(const struct vl_ring_entry *entry, struct vl_bytes lane)
{
	for (size_t i = 0; i < entry->n_ends; i++)
		if (vl_bytes_are(lane, entry->ends[i].lane))
			return &entry->ends[i];
	return NULL;
}

bool vl_ring_holds(const struct vl_ring_entry *entry, struct vl_bytes lane, struct vl_epoch epoch,
		   struct vl_seq seq)
{
	const struct vl_key_end *end = entry->ended ? end_of(entry, lane) : NULL;

	return !entry->ended || (end != NULL && !vl_later(epoch, seq, end->epoch, end->seq));
}

enum vl_err vl_ring_entry_end(struct vl_ring_entry *entry, const struct vl_key_end *end)
{
	struct vl_key_end *known = end_of(entry, vl_bytes_of(end->lane));

	if (known == NULL) {
		struct vl_key_end *ends = realloc(entry->ends, (entry->n_ends + 1) * sizeof(*ends));
		if (ends == NULL)
			return VL_ERR_NOMEM;
		entry->ends = ends;
		ends[entry->n_ends++] = *end;
	} else if (vl_later(end->epoch, end->seq, known->epoch, known->seq)) {
		*known = *end;
	}
	return VL_OK;
}

static enum vl_err add_ends(struct vl_ring_entry *to, const struct vl_ring_entry *from)
{
	enum vl_err err = VL_OK;

	for (size_t i = 0; i < from->n_ends && err == VL_OK; i++)
		err = vl_ring_entry_end(to, &from->ends[i]);
	return err;
}

/* One key was found twice. */
static enum vl_err merge(struct vl_ring_entry *known, const struct vl_ring_entry *entry,
			 struct vl_why *why)
{
	if (strcmp(known->mission, entry->mission) != 0)
		return vl_fail(why, VL_ERR_INVALID,
			       "the key of %s is enrolled for %s too; make a new one",
			       entry->mission, known->mission);
	if (known->ended && !entry->ended) {
		known->ended = false;
		(void)strcpy(known->file, entry->file);
	}
	return known->ended ? add_ends(known, entry) : VL_OK;
}

enum vl_err vl_ring_add(struct vl_ring *ring, const struct vl_ring_entry *entry, struct vl_why *why)
{
	struct vl_ring_entry *known = find(ring, &entry->id);

	if (known != NULL)
		return merge(known, entry, why);
	if (ring->count == ring->room) {
		size_t room = ring->room > 0 ? ring->room * 2 : 64;
		struct vl_ring_entry *entries = realloc(ring->entries, room * sizeof(*entries));
		if (entries == NULL)
			return VL_ERR_NOMEM;
		ring->entries = entries;
		ring->room = room;
	}
	struct vl_ring_entry *at = &ring->entries[place_of(ring, &entry->id)];
	memmove(at + 1, at, (size_t)(ring->entries + ring->count - at) * sizeof(*at));
	*at = *entry;
	at->ends = NULL;
	at->n_ends = 0;
	ring->count++;
	return entry->ended ? add_ends(at, entry) : VL_OK;
}

size_t vl_ring_count(const struct vl_ring *ring)
{
	return ring->count;
}

const struct vl_ring_entry *vl_ring_at(const struct vl_ring *ring, size_t i)
{
	return &ring->entries[i];
}

/* -- what was left out -- */

static enum vl_err add_fault(struct vl_ring *ring, const char *file, const struct vl_why *why,
			     enum vl_err err)
{
	struct fault *faults = realloc(ring->faults, (ring->n_faults + 1) * sizeof(*faults));

	if (faults == NULL)
		return VL_ERR_NOMEM;
	ring->faults = faults;
	struct fault *fault = &faults[ring->n_faults++];
	const char *text = vl_why_text(why, err);
	size_t named = strlen(file);
	bool has_name = strncmp(text, file, named) == 0 && text[named] == ':';
	(void)snprintf(fault->file, sizeof(fault->file), "%s", file);
	(void)snprintf(fault->text, sizeof(fault->text), "%.120s%s%.120s", has_name ? "" : file,
		       has_name ? "" : ": ", text);
	return VL_OK;
}

const char *vl_ring_fault(const struct vl_ring *ring, size_t i)
{
	return i < ring->n_faults ? ring->faults[i].text : NULL;
}

bool vl_ring_faulty(const struct vl_ring *ring, const char *file)
{
	for (size_t i = 0; i < ring->n_faults; i++)
		if (strcmp(ring->faults[i].file, file) == 0)
			return true;
	return false;
}

/* -- one file -- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* The next line, without blanks at its ends and with one blank where there are several; false
 * behind the last. */
static bool next_line(const char **text, const char *end, char line[256])
{
	size_t n = 0;

	if (*text >= end)
		return false;
	const char *newline = memchr(*text, '\n', (size_t)(end - *text)),
		   *stop = newline != NULL ? newline : end;
	for (const char *c = *text; c < stop; c++)
		if (n < 255 && !(is_blank(*c) && (n == 0 || line[n - 1] == ' ')))
			line[n++] = is_blank(*c) ? ' ' : *c;
	while (n > 0 && line[n - 1] == ' ')
		n--;
	line[n] = '\0';
	*text = newline != NULL ? newline + 1 : end;
	return true;
}

/* `until LANE EPOCH BATCH`. */
static bool read_end(const char *line, struct vl_key_end *end)
{
	int used = 0;
	bool good = sscanf(line, "until %96s %" SCNu64 " %" SCNu64 "%n", end->lane, &end->epoch.n,
			   &end->seq.n, &used) == 3;

	return good && line[used] == '\0';
}

static enum vl_err read_lines(const char *name, const struct vl_key_file *file,
			      struct vl_ring_entry *entry, struct vl_why *why)
{
	const char *text = file->text, *end = text + file->size;
	struct vl_key_end until;
	char line[256];
	size_t keys = 0;
	bool good = true;

	if (file->size >= 3 && memcmp(text, BYTE_ORDER_MARK, 3) == 0)
		text += 3;
	while (good && next_line(&text, end, line)) {
		if (line[0] == '\0' || line[0] == '#')
			continue;
		if (strcmp(line, "ended") == 0)
			entry->ended = true;
		else if (strncmp(line, "until ", 6) == 0 && read_end(line, &until))
			good = vl_ring_entry_end(entry, &until) == VL_OK;
		else
			good = keys++ == 0 && vl_key_line_read(line, strlen(line), entry->mission,
							       entry->key.bytes);
	}
	if (!good || keys != 1 || (entry->n_ends > 0 && !entry->ended))
		return vl_fail(why, VL_ERR_INVALID,
			       "%.100s: must hold one line, '<id> <public key, 64 hex digits>'",
			       name);
	if (crypto_core_ed25519_is_valid_point(entry->key.bytes) != 1)
		return vl_fail(why, VL_ERR_INVALID,
			       "%.100s: holds no Ed25519 public key; have %s send it again", name,
			       entry->mission);
	entry->id = vl_key_id_of(&entry->key);
	return VL_OK;
}

/* Links are followed: Kubernetes mounts a folder of public files as links. */
static enum vl_err read_public(int dir, const char *name, struct vl_ring *ring)
{
	struct vl_key_file *file = malloc(sizeof(*file));
	struct vl_ring_entry entry = {0};
	struct vl_why why = {0};

	if (file == NULL)
		return VL_ERR_NOMEM;
	(void)snprintf(entry.file, sizeof(entry.file), "%s", name);
	enum vl_err err = vl_key_file_read(dir, name, 0, file, &why);
	if (err == VL_OK)
		err = read_lines(name, file, &entry, &why);
	if (err == VL_OK)
		err = vl_ring_add(ring, &entry, &why);
	free(entry.ends);
	free(file);
	return err == VL_OK || err == VL_ERR_NOMEM ? err : add_fault(ring, name, &why, err);
}

/* -- the folder -- */

static int is_public_name(const struct dirent *item)
{
	size_t length = strlen(item->d_name);

	return item->d_name[0] != '.' && length > 4 &&
	       strcmp(item->d_name + length - 4, ".pub") == 0;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static enum vl_err read_folder(int dir, struct vl_ring *ring, const char *name, struct vl_why *why)
{
	struct dirent **items;
	int count = scandirat(dir, ".", &items, is_public_name, by_name);
	enum vl_err err = VL_OK;

	if (count < 0)
		return vl_key_file_error(why, name);
	for (int i = 0; i < count; i++) {
		if (err == VL_OK)
			err = read_public(dir, items[i]->d_name, ring);
		free(items[i]);
	}
	free(items);
	return err;
}

/* There is none where no key was ever replaced. */
static enum vl_err read_past(int dir, struct vl_ring *ring, struct vl_why *why)
{
	int past = openat(dir, PAST, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (past < 0)
		return errno == ENOENT ? VL_OK : vl_key_file_error(why, PAST);
	enum vl_err err = read_folder(past, ring, PAST, why);
	(void)close(past);
	return err;
}

enum vl_err vl_ring_open(const char *dir, struct vl_ring **ring, struct vl_why *why)
{
	*ring = NULL;
	if (sodium_init() < 0)
		return VL_ERR_BUG;
	int folder = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder < 0)
		return vl_key_file_error(why, dir);
	struct vl_ring *made = calloc(1, sizeof(*made));
	enum vl_err err = made != NULL ? read_folder(folder, made, dir, why) : VL_ERR_NOMEM;
	if (err == VL_OK)
		err = read_past(folder, made, why);
	(void)close(folder);
	if (err == VL_OK)
		*ring = made;
	else
		vl_ring_close(made);
	return err;
}

void vl_ring_close(struct vl_ring *ring)
{
	if (ring == NULL)
		return;
	for (size_t i = 0; i < ring->count; i++)
		free(ring->entries[i].ends);
	free(ring->entries);
	free(ring->faults);
	free(ring);
}

/* -- keys of the past -- */

static void write_lines(struct vl_buf *text, const struct vl_ring_entry *entry)
{
	char line[VL_KEY_LINE];

	vl_key_line_write(entry->mission, entry->key.bytes, line);
	vl_buf_printf(text,
		      "# This key signs nothing new. What it signed up to the places below stays "
		      "good.\n"
		      "%s\n"
		      "ended\n",
		      line);
	for (size_t i = 0; i < entry->n_ends; i++) {
		const struct vl_key_end *end = &entry->ends[i];
		vl_buf_printf(text, "until %s %" PRIu64 " %" PRIu64 "\n", end->lane, end->epoch.n,
			      end->seq.n);
	}
}

enum vl_err vl_ring_keep_past(const char *dir, const struct vl_ring_entry *entry,
			      struct vl_why *why)
{
	char path[4096], name[VL_MISSION_MAX + 64], id[33];
	struct vl_buf text = {0};

	(void)snprintf(path, sizeof(path), "%s/" PAST, dir);
	(void)snprintf(name, sizeof(name), "%s.%s.pub", entry->mission,
		       vl_hex(entry->id.bytes, 16, id));
	if (mkdir(path, 0755) != 0 && errno != EEXIST)
		return vl_key_file_error(why, path);
	int past = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (past < 0)
		return vl_key_file_error(why, path);
	write_lines(&text, entry);
	enum vl_err err = VL_ERR_NOMEM;
	if (!vl_buf_failed(&text))
		err = vl_key_file_write(past, name, vl_buf_text(&text), why);
	if (err == VL_OK && fsync(past) != 0)
		err = vl_key_file_error(why, path);
	vl_buf_free(&text);
	(void)close(past);
	return err;
}
