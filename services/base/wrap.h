/*
 * Text for people, wrapped at blanks to the width of the terminal that shows it.
 *
 * The text has no line ends of its own but those that begin a paragraph, an item or an example:
 *
 *   paragraph   begins in the first column; it is wrapped.
 *   item        begins with blanks, and has two blanks or more behind its name; the words behind
 *               them are wrapped below each other, as here.
 *   example     begins with blanks, and has no such gap; it is printed as it stands.
 *
 * Next: conf.h, the configuration, whose help is printed so.
 */
#ifndef VALISE_BASE_WRAP_H
#define VALISE_BASE_WRAP_H

#include "base/buf.h"

/* Columns to fill on that file: those of its terminal, from 40 to 100; 80 if it is none. */
size_t vl_wrap_width(int fd);

/* Put `text` with a line end behind it, and `mark` in front of each line. A word that is longer
 * than a line stands alone and reaches beyond it. `text` is ASCII. */
void vl_wrap(struct vl_buf *out, const char *text, const char *mark, size_t width);

#endif
