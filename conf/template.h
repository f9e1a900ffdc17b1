#ifndef CONF_TEMPLATE_H
#define CONF_TEMPLATE_H
/*
 * template - the URL of a redirect: text with {host}, {path} and {query}.
 *
 *   template = ( ( "http://" / "https://" ) *label host-part [ ":" port ] / "/" text )
 *              then text, {path}, {query} and, behind a "?", {host} too
 *
 * It always says by itself whose it is: {path} never stands where its first "/" would make a host of
 * what follows, and {host} is the end of a name. Pure.
 */
#include <stdbool.h>

#include "base/span.h"

enum conf_part {
    CONF_PART_TEXT,
    CONF_PART_HOST,
    CONF_PART_PATH,
    CONF_PART_QUERY,
};

/* Takes the next part off *rest. False: there is none. text: of CONF_PART_TEXT, without braces. An
 * unknown word in braces is text with them. */
bool conf_template_next(struct span *rest, enum conf_part *part, struct span *text);
/* NULL, or what is wrong with it, static text. */
const char *conf_template_fault(struct span text);
#endif
