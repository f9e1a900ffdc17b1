#ifndef SITE_PAC_H
#define SITE_PAC_H
/*
 * pac - the file by which clients configure themselves: JavaScript with FindProxyForURL(url, host),
 * that says DIRECT of names without a dot, loopback, private and link-local addresses and what the
 * operator names, else PROXY NAME:PORT. It speaks the JavaScript of 1999, which every client does,
 * looks no name up, and nothing of the configuration is in it as code: what is not a letter or digit
 * is escaped.
 *
 * Threads: any; pure.
 */
#include <stdbool.h>

#include "base/buf.h"
#include "base/span.h"
#include "conf/conf.h"

#define PAC_TYPE "application/x-ns-proxy-autoconfig"
/* For how long clients may keep it. */
#define PAC_CACHING "max-age=300"
#define PAC_TAG_BYTES 35 /* of a quoted tag, with its end */

/* Is it one of the two paths (a query behind it is nothing)? */
bool pac_is_path(struct span path);
/* Appends the file of a forward proxy whose pac is not off. proxy: NAME:PORT that it names where no
 * setting does. */
void pac_write(struct buf *out, const struct conf_pac *pac, struct span proxy);
/* The entity tag of a file; returns it. */
struct span pac_tag(char room[PAC_TAG_BYTES], struct span file);
#endif
