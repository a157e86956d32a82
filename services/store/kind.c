/*
 * What is in the folder: a store of the kind that the caller wants, of a format that it reads.
 * The format is looked at first, as another version may have other databases, and that is no
 * damage.
 */
#include "store/inside.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_listed(const struct vl_store_options *options, const MDB_val *name)
{
	for (unsigned i = 0; options->dbs[i] != NULL; i++)
		if (vl_bytes_are(vl_store_bytes(name), options->dbs[i]))
			return true;
	return false;
}

/* How many of the databases listed there are, and how many others, with the name of one. */
struct names {
	unsigned listed, others;
	char other[64];
};

static int read_names(MDB_txn *txn, const struct vl_store_options *options, struct names *names)
{
	MDB_cursor *cursor;
	MDB_val name, value;
	MDB_dbi main;
	int rc = mdb_dbi_open(txn, NULL, 0, &main);

	*names = (struct names){0};
	if (rc == 0)
		rc = mdb_cursor_open(txn, main, &cursor);
	if (rc != 0)
		return rc;
	while ((rc = mdb_cursor_get(cursor, &name, &value, MDB_NEXT)) == 0) {
		if (is_listed(options, &name)) {
			names->listed++;
			continue;
		}
		names->others++;
		(void)snprintf(names->other, sizeof(names->other), "%.*s", (int)name.mv_size,
			       (const char *)name.mv_data);
	}
	mdb_cursor_close(cursor);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

/* The format that is written there; 0 where there is none, or its row is damaged. */
static uint64_t read_format(MDB_txn *txn, const struct vl_store_options *options)
{
	unsigned i = options->format_db;
	MDB_val key = {options->format_key.size, (void *)(uintptr_t)options->format_key.data},
		value;
	struct store_db db;
	uint64_t format = 0;

	vl_store_name_db(&db, (char *)(uintptr_t)options->dbs[i],
			 (options->unchecked >> i & 1) == 0);
	if (mdb_dbi_open(txn, options->dbs[i], 0, &db.dbi) != 0 ||
	    mdb_get(txn, db.dbi, &key, &value) != 0 || !vl_store_good(&db, &key, &value) ||
	    value.mv_size > sizeof(format))
		return 0;
	for (size_t n = 0; n < value.mv_size; n++)
		format = format << 8 | ((const uint8_t *)value.mv_data)[n];
	return format;
}

static enum vl_err judge(const struct vl_store_options *options, uint64_t format,
			 const struct names *names, struct vl_why *why)
{
	unsigned wanted = 0;

	while (options->dbs[wanted] != NULL)
		wanted++;
	if (format > options->format)
		return vl_fail(why, VL_ERR_VERSION,
			       "it is of format %llu, of a newer version of Valise; this "
			       "program reads format %llu: update it, and leave the folder as "
			       "it is",
			       (unsigned long long)format, (unsigned long long)options->format);
	if (format != 0 && format < options->format_oldest)
		return vl_fail(why, VL_ERR_VERSION,
			       "it is of format %llu, of an older version of Valise; %s",
			       (unsigned long long)format, options->older);
	if (names->others > 0 && names->listed == wanted && format == options->format)
		return vl_fail(why, VL_ERR_VERSION,
			       "it has a database '%s' that this program does not know, since "
			       "it is of a newer version of Valise. Update this program, and "
			       "leave the folder as it is",
			       names->other);
	if (names->others > 0)
		return vl_fail(why, VL_ERR_CORRUPT,
			       "it is not a store of this kind, or one that is damaged");
	if (format == options->format && format != 0 && names->listed < wanted)
		return vl_fail(why, VL_ERR_CORRUPT, "%u of its %u databases are not there",
			       wanted - names->listed, wanted);
	if (options->read_only && names->listed == 0)
		return vl_fail(why, VL_ERR_NOT_FOUND, "nothing is in it yet");
	return VL_OK;
}

enum vl_err vl_store_check_kind(MDB_txn *txn, const struct vl_store_options *options,
				struct vl_why *why)
{
	struct names names;
	int rc = read_names(txn, options, &names);

	if (rc == MDB_INCOMPATIBLE)
		return vl_fail(why, VL_ERR_CORRUPT,
			       "it is not a store of this kind, or one that is damaged");
	if (rc != 0)
		return vl_store_explain(why, rc);
	return judge(options, options->format_key.size > 0 ? read_format(txn, options) : 0, &names,
		     why);
}
