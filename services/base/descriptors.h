/*
 * Standard input, output and error: descriptors 0, 1 and 2.
 *
 * A supervisor may start a program with some of them closed. The next file that is opened then gets
 * that number, and log lines go into it: into the first page of a database, for example. So every
 * program calls this before anything else.
 *
 * Next: near.h, "did you mean".
 */
#ifndef VALISE_BASE_DESCRIPTORS_H
#define VALISE_BASE_DESCRIPTORS_H

#include <stdbool.h>

/* Open /dev/null on each of 0, 1 and 2 that is closed, in the direction that is not used.
 * Reading from it, or writing to it, is then an error (EBADF) and not silence. False if that
 * cannot be done; the program must then end. */
bool vl_descriptors_open(void);

#endif
