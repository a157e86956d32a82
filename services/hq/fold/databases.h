/*
 * The names of the ledger's databases, as LMDB has them: those of all, and four for each view.
 *
 * Next: hq/repair/open.h, which opens a ledger with these.
 */
#ifndef VALISE_HQ_FOLD_DATABASES_H
#define VALISE_HQ_FOLD_DATABASES_H

#include "base/arena.h"
#include "hq/ledger/ledger.h"

/* The name of one database. */
void vl_ledger_name(unsigned db, char name[VL_LEDGER_NAME]);

/* All of them, and a NULL behind; in the arena. NULL when out of memory. */
char **vl_ledger_names(struct vl_arena *arena);

#endif
