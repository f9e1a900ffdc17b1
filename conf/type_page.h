#ifndef CONF_TYPE_PAGE_H
#define CONF_TYPE_PAGE_H
/* type_page - pages of the operator, for the types that have one; for type_*.c only. */
#include "conf/type.h"

/* Reads the file, or takes the text; the media type is what the name says. False: a message. */
bool conf_item_page(const struct conf_item *item, const struct conf_word *word,
                    struct conf_page *out);
/* Is it type=MEDIA/TYPE? Then it is taken, or a message goes out. */
bool conf_item_page_type(const struct conf_item *item, const struct conf_word *word,
                         struct conf_page *out);
/* Each with a space before it; the type only when it was named. */
void conf_print_page(const struct conf_page *page, struct buf *out);
void conf_print_page_type(const struct conf_page *page, struct buf *out);
#endif
