/*
 * Standard input, output and error: descriptors 0, 1 and 2.
 *
 * A supervisor may start a program with some of them closed. The next file that is opened then
 * gets the number, and what is meant for the log goes into it: were it a database, over its
 * first page. So every program calls this before anything else.
 */
#ifndef VALISE_BASE_DESCRIPTORS_H
#define VALISE_BASE_DESCRIPTORS_H

#include <stdbool.h>

/* Open /dev/null on each of 0, 1 and 2 that is closed, in the direction that nobody uses: what
 * is read from it, or written to it, is an error (EBADF) and not silence. False where that
 * cannot be done; the program must then end. */
bool vl_descriptors_open(void);

#endif
